CREATE TABLE `change_item` (
	`environment_id` integer NOT NULL,
	`kind` text NOT NULL,
	`item_id` integer NOT NULL,
	`revision` integer NOT NULL,
	PRIMARY KEY(`environment_id`, `kind`, `item_id`, `revision`),
	FOREIGN KEY (`environment_id`) REFERENCES `environment`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `former_member` (
	`group_id` integer NOT NULL,
	`unit` text NOT NULL,
	`state` text NOT NULL,
	`at` integer NOT NULL,
	`by` text NOT NULL,
	PRIMARY KEY(`group_id`, `unit`)
);
