// The thread of a transform: runs the function of a person's file on one letter at a time. Plain JavaScript, because a thread of
// Node 20 starts without a loader of TypeScript.
import { createRequire } from 'node:module';
import { Script } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';

/** Characters of JSON that a value may have; ingestion refuses a sixteenth of it. */
const MOST_CHARACTERS = 16 * 1_048_576;

function load() {
  const module = { exports: {} };
  const script = new Script(`(function (module, exports, require) {${workerData.source}\n})`, {
    filename: 'transform',
  });
  script.runInThisContext()(module, module.exports, createRequire(import.meta.url));
  const transform = module.exports.default;
  if (typeof transform !== 'function') throw new TypeError('it exports no function by default');
  return transform;
}

function parsed(text) {
  try {
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What stays in a replay, for comparison. */
const fixed = ({ key, headers }) => JSON.stringify([key, headers]);

/** What the answer says that the letter is now; throws what is wrong with it. */
function judge(given, answer) {
  if (answer === null) return { kind: 'left-out' };
  if (typeof answer !== 'object' || Array.isArray(answer)) {
    throw new TypeError(
      `the transform answered ${answer === undefined ? 'nothing' : `a ${typeof answer}`} where a letter or null belongs`,
    );
  }
  const { key = given.key, headers = given.headers } = answer;
  if (fixed({ key, headers }) !== fixed(given))
    throw new TypeError('the transform changed key or headers, which a replay leaves as they are');
  const before = parsed(given.text);
  const changes = [];
  if (answer.value !== undefined && JSON.stringify(answer.value) !== JSON.stringify(before))
    changes.push(valueOf(answer.value));
  if (answer.text !== undefined && answer.text !== given.text) changes.push(textOf(answer.text));
  if (answer.bytes !== undefined && !sameBytes(answer.bytes, given.bytes)) changes.push(bytesOf(answer.bytes));
  if (changes.length > 1)
    throw new TypeError(
      'the transform changed more than one of value, text and bytes, which are the same thing three times',
    );
  return changes[0] ?? { kind: 'same' };
}

function sameBytes(one, other) {
  return one === other || (one instanceof Uint8Array && other !== null && Buffer.from(one).equals(other));
}

/** The members of an object one by one, so that those that did not change can keep their characters. */
function valueOf(value) {
  const json = JSON.stringify(value);
  if (json === undefined) throw new TypeError('the transform answered a value that JSON does not have');
  if (json.length > MOST_CHARACTERS) throw new TypeError('the transform answered a value of more than 16 MiB');
  if (!json.startsWith('{')) return { kind: 'text', text: json };
  const members = Object.entries(JSON.parse(json)).map(([name, of]) => [name, JSON.stringify(of)]);
  return { kind: 'members', members };
}

function textOf(text) {
  if (typeof text !== 'string' || text.length > MOST_CHARACTERS)
    throw new TypeError('the transform answered a text that is none, or of more than 16 MiB');
  if (!text.isWellFormed()) throw new TypeError('the transform answered a text with half of a surrogate pair');
  return { kind: 'text', text };
}

function bytesOf(bytes) {
  if (!(bytes instanceof Uint8Array) || bytes.length > MOST_CHARACTERS)
    throw new TypeError('the transform answered bytes that are no Uint8Array, or more than 16 MiB');
  return { kind: 'bytes', bytes };
}

const sentence = (thrown) => {
  const told = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return thrown instanceof TypeError && told.startsWith('TypeError: the transform ')
    ? thrown.message
    : `the transform threw ${told}`;
};

/** Nothing is handed over for good. */
const tell = (answer) => parentPort.postMessage(answer, []);

let transform;
try {
  transform = load();
  tell({ kind: 'ready' });
} catch (thrown) {
  tell({ kind: 'unusable', why: thrown instanceof Error ? thrown.message : String(thrown) });
}

async function answerTo(letter) {
  // A copy of the bytes and a value of its own: the function may change what it was given.
  const given = { ...letter, bytes: letter.bytes === null ? null : Buffer.from(letter.bytes) };
  const mine = { ...letter, headers: structuredClone(letter.headers), value: parsed(letter.text) };
  try {
    tell(judge(given, await transform(mine)));
  } catch (thrown) {
    tell({ kind: 'failed', why: sentence(thrown).slice(0, 300) });
  }
}

parentPort.on('message', (letter) => void answerTo(letter));
