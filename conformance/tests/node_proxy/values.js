// Reading values that may be anything.

export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
export const string = (value) => (typeof value === "string" ? value : "");
export const record = (value) => (isObject(value) ? value : {});

export function parse(text) {
  try {
    const value = JSON.parse(text);
    return isObject(value) && typeof value.type === "string" ? value : null;
  } catch {
    return null;
  }
}
