CREATE TABLE `fact` (
	`environment_id` integer NOT NULL,
	`number` integer NOT NULL,
	`hash` text NOT NULL,
	PRIMARY KEY(`environment_id`, `number`),
	FOREIGN KEY (`environment_id`) REFERENCES `environment`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `fact_hash` ON `fact` (`environment_id`,`hash`);--> statement-breakpoint
CREATE TABLE `receipt` (
	`environment_id` integer NOT NULL,
	`revision` integer NOT NULL,
	`generation` integer NOT NULL,
	`body` text NOT NULL,
	`at` integer NOT NULL,
	PRIMARY KEY(`environment_id`, `revision`),
	FOREIGN KEY (`environment_id`) REFERENCES `environment`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `sampled_context` (
	`environment_id` integer NOT NULL,
	`hash` text NOT NULL,
	`context` text NOT NULL,
	`at` integer NOT NULL,
	PRIMARY KEY(`environment_id`, `hash`),
	FOREIGN KEY (`environment_id`) REFERENCES `environment`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `usage_batch` (
	`environment_id` integer NOT NULL,
	`instance` text NOT NULL,
	`batch` integer NOT NULL,
	`at` integer NOT NULL,
	PRIMARY KEY(`environment_id`, `instance`),
	FOREIGN KEY (`environment_id`) REFERENCES `environment`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `usage_count` (
	`environment_id` integer NOT NULL,
	`flag_key` text NOT NULL,
	`step_ms` integer NOT NULL,
	`at` integer NOT NULL,
	`revision` integer NOT NULL,
	`variant` text NOT NULL,
	`count` integer NOT NULL,
	PRIMARY KEY(`environment_id`, `flag_key`, `step_ms`, `at`, `revision`, `variant`),
	FOREIGN KEY (`environment_id`) REFERENCES `environment`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `usage_count_at` ON `usage_count` (`step_ms`,`at`);--> statement-breakpoint
ALTER TABLE `environment` ADD `facts_at` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `environment` ADD `secure_mode` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `environment` ADD `signing_version` integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE `environment` ADD `signing_retired` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `environment` ADD `private_attributes` text DEFAULT '[]' NOT NULL;--> statement-breakpoint
ALTER TABLE `environment` ADD `sample_contexts` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `project` ADD `hidden` integer DEFAULT false NOT NULL;