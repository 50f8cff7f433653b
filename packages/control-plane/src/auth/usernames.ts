/**
 * The form in which user names are compared, wherever they are: A to Z become a to z, and everything else stays. New
 * names are ASCII. Unicode's own folding would make other letters equal to these, such as `İ` (U+0130) and `i`, in some
 * places and not in others. In SQL it is `lower(username collate "C")`.
 */
export const foldUsername = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
