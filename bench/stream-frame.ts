/** The size of the change that is broadcast. */
export const FRAME_BYTES = 300;
