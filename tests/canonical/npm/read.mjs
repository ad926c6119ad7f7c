// Reads a JSON array of documents (base64) on standard input; writes what they hold, with types.
import { readFileSync } from "node:fs";
import { parseDocument } from "yaml";

function typed(value) {
  if (typeof value === "bigint") return ["int", String(value)];
  if (typeof value === "number") return ["float", value];
  if (Array.isArray(value)) return ["list", value.map(typed)];
  if (value !== null && typeof value === "object") {
    return ["mapping", Object.entries(value).map(([key, inner]) => [key, typed(inner)])];
  }
  return [typeof value, value];
}

function read(payload, version) {
  const document = parseDocument(payload, { version, intAsBigInt: true, strict: true });
  const faults = [...document.errors, ...document.warnings];
  return faults.length ? ["fault", String(faults[0])] : typed(document.toJS());
}

const payloads = JSON.parse(readFileSync(0, "utf8"));
const texts = payloads.map((payload) => Buffer.from(payload, "base64").toString("utf8"));
console.log(JSON.stringify(texts.map((text) => [read(text, "1.2"), read(text, "1.1")])));
