CREATE TABLE `actor` (
	`key` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`erased_at` integer
);
--> statement-breakpoint
CREATE TABLE `sign_in_attempt` (
	`key` text PRIMARY KEY NOT NULL,
	`failures` integer NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `sign_in_attempt_at` ON `sign_in_attempt` (`at`);--> statement-breakpoint
CREATE TABLE `checkpoint` (
	`environment_id` integer NOT NULL,
	`revision` integer NOT NULL,
	`generation` integer NOT NULL,
	`at` integer NOT NULL,
	`body` text NOT NULL,
	PRIMARY KEY(`environment_id`, `revision`),
	FOREIGN KEY (`environment_id`) REFERENCES `environment`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `flag_tombstone` (
	`project_id` integer NOT NULL,
	`key` text NOT NULL,
	`deleted_at` integer NOT NULL,
	`deleted_by` text NOT NULL,
	PRIMARY KEY(`project_id`, `key`),
	FOREIGN KEY (`project_id`) REFERENCES `project`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `account_grant` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`account_id` integer NOT NULL,
	`role` text NOT NULL,
	`project_id` integer,
	`environment_id` integer,
	`at` integer NOT NULL,
	`by` text NOT NULL,
	FOREIGN KEY (`account_id`) REFERENCES `account`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`project_id`) REFERENCES `project`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`environment_id`) REFERENCES `environment`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `account_grant_account` ON `account_grant` (`account_id`);--> statement-breakpoint
CREATE TABLE `idempotency` (
	`actor` text NOT NULL,
	`key` text NOT NULL,
	`request` text NOT NULL,
	`at` integer NOT NULL,
	`answer` text,
	PRIMARY KEY(`actor`, `key`)
);
--> statement-breakpoint
CREATE INDEX `idempotency_at` ON `idempotency` (`at`);--> statement-breakpoint
CREATE TABLE `invitation` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`hash` text NOT NULL,
	`account_id` integer,
	`note` text DEFAULT '' NOT NULL,
	`grants` text NOT NULL,
	`created_at` integer NOT NULL,
	`by` text NOT NULL,
	`expires_at` integer NOT NULL,
	`used_at` integer,
	`revoked_at` integer,
	FOREIGN KEY (`account_id`) REFERENCES `account`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `invitation_hash_unique` ON `invitation` (`hash`);--> statement-breakpoint
ALTER TABLE `account` ADD `disabled_at` integer;--> statement-breakpoint
ALTER TABLE `account` ADD `password_at` integer;--> statement-breakpoint
ALTER TABLE `audit` ADD `token` text;--> statement-breakpoint
ALTER TABLE `audit` ADD `address` text;--> statement-breakpoint
ALTER TABLE `audit` ADD `request_id` text;--> statement-breakpoint
ALTER TABLE `change_set` ADD `record` text;--> statement-breakpoint
ALTER TABLE `change_set` ADD `write_id` integer;--> statement-breakpoint
ALTER TABLE `environment` ADD `version` integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE `environment` ADD `deleted_at` integer;--> statement-breakpoint
ALTER TABLE `flag` ADD `links` text DEFAULT '[]' NOT NULL;--> statement-breakpoint
ALTER TABLE `flag` ADD `kind` text DEFAULT 'release' NOT NULL;--> statement-breakpoint
ALTER TABLE `flag` ADD `expected_days` integer;--> statement-breakpoint
ALTER TABLE `project` ADD `description` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `project` ADD `version` integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE `project` ADD `created_at` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `sdk_key` ADD `name` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `sdk_key` ADD `created_by` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `sdk_key` ADD `expires_at` integer;--> statement-breakpoint
ALTER TABLE `sdk_key` ADD `last_used_at` integer;--> statement-breakpoint
ALTER TABLE `sdk_key` ADD `origins` text DEFAULT '[]' NOT NULL;--> statement-breakpoint
ALTER TABLE `session` ADD `address` text;--> statement-breakpoint
ALTER TABLE `session` ADD `agent` text;--> statement-breakpoint
ALTER TABLE `token` ADD `kind` text DEFAULT 'personal' NOT NULL;--> statement-breakpoint
ALTER TABLE `token` ADD `project_id` integer REFERENCES project(id);--> statement-breakpoint
ALTER TABLE `token` ADD `environment_id` integer REFERENCES environment(id);--> statement-breakpoint
ALTER TABLE `token` ADD `flags` text;