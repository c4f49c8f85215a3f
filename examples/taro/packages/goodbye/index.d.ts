/** Connects, and closes with 4003 "goodbye" once open. Resolves when the close was asked for. */
export function goodbye(url: string): Promise<void>;

/** The same, by the object Taro. */
export function goodbyeByObject(url: string): Promise<void>;
