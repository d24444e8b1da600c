/** Writes the licenses of the packages that a build took in, as they ask for, beside it. */
export function writeNotices(dist: string): void;
