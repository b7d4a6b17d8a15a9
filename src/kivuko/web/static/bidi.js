// Which way a text is written: by its own letters, and only where they leave it open by the language that was chosen.
const RIGHT_TO_LEFT = new RegExp(
  `^[${["Adlam", "Arabic", "Hanifi_Rohingya", "Hebrew", "Mandaic", "Nko", "Samaritan", "Syriac", "Thaana"]
    .map((script) => `\\p{Script=${script}}`)
    .join("")}]`,
  "u",
);

// The direction of a word's first letter; nothing for a number.
export function wordDirection(word) {
  const letter = /\p{L}/u.exec(word)?.[0];
  if (letter === undefined) return null;
  return RIGHT_TO_LEFT.test(letter) ? "rtl" : "ltr";
}

// The direction of most of a text's words.
export function directionOf(text, usual) {
  const words = text.split(/\s+/).map(wordDirection);
  const [right, left] = ["rtl", "ltr"].map((direction) => words.filter((each) => each === direction).length);
  return right === left ? usual : right > left ? "rtl" : "ltr";
}

// Keep a text from elsewhere from turning the sentence around that it is put into.
export function isolated(text) {
  return text.split(/\s+/).some((word) => wordDirection(word) === "rtl") ? `\u2068${text}\u2069` : text;
}
