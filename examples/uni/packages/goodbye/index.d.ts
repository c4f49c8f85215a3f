/** Connects, and closes with 4003 "goodbye" once open. Resolves when the close was asked for. */
export function goodbye(url: string): Promise<void>;

/** The same, by the object wx. */
export function goodbyeByWx(url: string): Promise<void>;
