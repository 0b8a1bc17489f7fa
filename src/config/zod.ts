// The only door to zod: what schemas are written with.
export { z } from "zod";
