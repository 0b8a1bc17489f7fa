// Globs of host names: `*` any characters, `?` one, `[…]` one of a set, `[!…]` one of none.

/** A glob as a regular expression over the whole text. Throws SyntaxError for a set that makes no sense. */
export function globOf(glob: string): RegExp {
  const body = glob.replace(/\[!?[^\]]*\]|[\s\S]/g, (piece) => {
    if (piece === "*") return ".*";
    if (piece === "?") return ".";
    if (piece.length > 1) return piece.replace("[!", "[^").replaceAll("\\", "\\\\");
    return piece.replace(/[.+^${}()|\\[\]/]/, "\\$&");
  });
  return new RegExp(`^(?:${body})$`);
}
