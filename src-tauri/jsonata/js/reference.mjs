// Evaluates cases with Node and the npm packages that the engine runs, so that the engine can be compared with them.
//
//   node reference.mjs [FILE…]          check that the answers in the files are still Node's; name those that differ
//   node reference.mjs --write [FILE…]  write Node's answers into the files
//   node reference.mjs --stdin          read cases from stdin, write {"id", answer} to stdout, one a line
//
// Without FILE, all of ../tests/cases. A case is one line:
//   {"id", "expr", "data"?: any JSON, "bindings"?: {name: any JSON}, "timelimit"?: ms, "depth"?: calls, answer}
// and its answer is one of
//   "gives": the result, exactly as JSON.stringify writes it
//   "undefined": true                     no result
//   "not_json": "function" | "cycle" | …  a result that JSON cannot express
//   "error": {"code"?, "name"?, "message", "position"?}   name only for instances of Error; position in UTF-16 units
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'

const CASES = new URL('../tests/cases/', import.meta.url)
const ANSWERS = ['gives', 'undefined', 'not_json', 'error']
const LIMIT = 'U1001'
const ENVIRONMENT = { TZ: 'UTC', LC_ALL: 'en_US.UTF-8' }

// Node reads the locale once, when it starts, so set it and start again.
if (Object.entries(ENVIRONMENT).some(([name, value]) => process.env[name] !== value)) {
  const again = spawnSync(process.execPath, process.argv.slice(1), {
    stdio: 'inherit',
    env: { ...process.env, ...ENVIRONMENT },
  })
  process.exit(again.status ?? 1)
}

// An expression may leave a rejected promise behind (a released stream reader's `closed`, for instance).
process.on('unhandledRejection', () => {})

const { default: trutoJsonata } = await import('@truto/truto-jsonata')

/** Throws LIMIT past a case's depth or time, as the official suite's runner does through the evaluator's hooks. */
function limit(expression, { timelimit, depth }) {
  const end = Date.now() + timelimit
  let deep = 0
  const check = () => {
    if (deep > depth || Date.now() > end) {
      throw { code: LIMIT, message: 'The case went past its depth or its time limit' }
    }
  }
  expression.assign(Symbol.for('jsonata.__evaluate_entry'), () => (deep++, check()))
  expression.assign(Symbol.for('jsonata.__evaluate_exit'), () => (deep--, check()))
}

function errorAnswer(thrown) {
  const isError = thrown instanceof Error
  const error = {}
  if (typeof thrown?.code === 'string') error.code = thrown.code
  if (isError) error.name = thrown.name
  error.message = thrown !== null && typeof thrown === 'object' ? String(thrown.message) : String(thrown)
  // Where a limit ends an evaluation without an end is chance.
  if (typeof thrown?.position === 'number' && thrown.code !== LIMIT) error.position = thrown.position
  return { error: JSON.stringify(error) }
}

function resultAnswer(result) {
  if (result === undefined) return { undefined: 'true' }
  let text
  try {
    text = JSON.stringify(result)
  } catch (thrown) {
    const reason = /circular/.test(thrown.message) ? 'cycle' : /BigInt/.test(thrown.message) ? 'bigint' : thrown.message
    return { not_json: JSON.stringify(reason) }
  }
  return text === undefined ? { not_json: JSON.stringify(typeof result) } : { gives: text }
}

/** The answer to a case: one of ANSWERS, and its JSON text. */
async function evaluate(test) {
  try {
    const expression = trutoJsonata(test.expr)
    if (test.depth !== undefined) limit(expression, test)
    return resultAnswer(await expression.evaluate(test.data, test.bindings ?? {}))
  } catch (thrown) {
    return errorAnswer(thrown)
  }
}

/** Where the JSON value that starts at `at` ends. The text must be valid JSON. */
function valueEnd(text, at) {
  let nested = 0
  for (let quoted = false; at < text.length; at++) {
    const char = text[at]
    if (quoted) {
      if (char === '\\') at++
      else if (char === '"') quoted = false
    } else if (char === '"') quoted = true
    else if (char === '[' || char === '{') nested++
    else if (nested === 0 && (char === ',' || char === '}' || char === ':')) break
    else if (char === ']' || char === '}') nested--
  }
  return at
}

/** An object's members as [name, JSON text]: parsing the values would round numbers and lose `-0`. */
function members(text) {
  const found = []
  let at = text.indexOf('{') + 1
  while (text.slice(at).trim() !== '}') {
    const colon = valueEnd(text, at)
    const end = valueEnd(text, colon + 1)
    found.push([JSON.parse(text.slice(at, colon)), text.slice(colon + 1, end).trim()])
    at = text[end] === ',' ? end + 1 : end
  }
  return found
}

const write = (found) => `{${found.map(([name, text]) => `${JSON.stringify(name)}: ${text}`).join(', ')}}`

/** The case's line with Node's answer in place of the one it has. */
async function answered(line) {
  const question = members(line).filter(([name]) => !ANSWERS.includes(name))
  return write([...question, ...Object.entries(await evaluate(JSON.parse(line)))])
}

async function answerFiles(files, overwrite) {
  let cases = 0
  const differing = []
  for (const file of files) {
    const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
    const now = []
    for (const line of lines) now.push(await answered(line))
    cases += lines.length
    lines.forEach((line, i) => {
      if (line !== now[i]) differing.push(`${basename(file)}:${i + 1}\n  committed ${line}\n  Node      ${now[i]}`)
    })
    if (overwrite) writeFileSync(file, now.map((line) => line + '\n').join(''))
  }
  if (overwrite) {
    console.log(`${cases} cases, ${differing.length} rewritten.`)
  } else if (differing.length > 0) {
    console.error(differing.join('\n'))
    console.error(`${differing.length} of ${cases} cases differ. If Node is right: node reference.mjs --write`)
    process.exitCode = 1
  } else {
    console.log(`${cases} cases, all as Node ${process.version} answers.`)
  }
}

async function answerStdin() {
  for (const line of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
    const test = JSON.parse(line)
    process.stdout.write(write([['id', JSON.stringify(test.id)], ...Object.entries(await evaluate(test))]) + '\n')
  }
}

const args = process.argv.slice(2)
const options = args.filter((arg) => arg.startsWith('--'))
const unknown = options.find((option) => option !== '--write' && option !== '--stdin')
if (unknown !== undefined) {
  console.error(`Unknown option ${unknown}; see the top of this file.`)
  process.exitCode = 2
} else if (options.includes('--stdin')) {
  await answerStdin()
} else {
  const named = args.filter((arg) => !arg.startsWith('--'))
  const all = () =>
    readdirSync(CASES)
      .filter((name) => name.endsWith('.jsonl') && name !== 'differences.jsonl')
      .sort()
      .map((name) => fileURLToPath(new URL(name, CASES)))
  await answerFiles(named.length > 0 ? named : all(), options.includes('--write'))
}
