//! The platform modules (`js/platform`) against Node: `js/platform-cases.mjs` writes the expressions with Node's results.

use std::path::{Path, PathBuf};

use rquickjs::loader::{ImportAttributes, Resolver, ScriptLoader};
use rquickjs::{CatchResultExt, Context, Ctx, Function, Module, Runtime};
use serde_json::Value;

/// Turns the result of an expression, or its error, into text: the same source runs in Node.
const RENDER: &str = include_str!("../../js/platform-render.mjs");

fn directory(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Finds `./name.js` beside the module that imports it.
struct Beside;

impl Resolver for Beside {
    fn resolve<'js>(
        &mut self,
        _ctx: &Ctx<'js>,
        base: &str,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<String> {
        let mut path = Path::new(base).parent().unwrap_or(Path::new("")).to_owned();
        for part in name.split('/') {
            match part {
                "." => {}
                ".." => drop(path.pop()),
                part => path.push(part),
            }
        }
        Ok(path.display().to_string())
    }
}

/// Runs `test` with a function that evaluates an expression on the platform and renders its result.
fn with_platform(test: impl FnOnce(&dyn Fn(&str) -> String)) {
    let runtime = Runtime::new().expect("a runtime");
    runtime.set_max_stack_size(1 << 20);
    runtime.set_loader(Beside, ScriptLoader::default());
    let context = Context::full(&runtime).expect("a context");
    context.with(|ctx| {
        super::install(&ctx).expect("the host functions install");
        let source = format!("import './index.js';\n{RENDER}\nglobalThis.render = render");
        Module::evaluate(ctx.clone(), directory("js/platform/test.js").display().to_string(), source)
            .and_then(|promise| promise.finish::<()>())
            .catch(&ctx)
            .unwrap_or_else(|error| panic!("the platform does not start: {error}"));
        let render: Function = ctx.globals().get("render").expect("render");
        test(&|expression| {
            render
                .call::<_, rquickjs::Promise>((expression,))
                .and_then(|promise| promise.finish::<String>())
                .catch(&ctx)
                .unwrap_or_else(|error| panic!("{expression}: {error}"))
        });
    });
}

#[test]
fn the_platform_answers_as_node() {
    let mut failures = Vec::new();
    let mut count = 0;
    with_platform(|evaluate| {
        let mut files: Vec<_> =
            std::fs::read_dir(directory("tests/platform")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "jsonl")) {
            for line in std::fs::read_to_string(file).unwrap().lines() {
                let case: Value = serde_json::from_str(line).unwrap();
                let (expression, expected) = (case["expression"].as_str().unwrap(), case["node"].as_str().unwrap());
                let actual = evaluate(expression);
                count += 1;
                if actual != expected {
                    failures.push(format!(
                        "{}: {expression}\n   Node: {expected}\n   here: {actual}",
                        file.file_stem().unwrap_or_default().display()
                    ));
                }
            }
        }
    });
    assert!(count >= 500, "only {count} cases were found");
    assert!(failures.is_empty(), "{} of {count} cases differ\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn what_an_expression_cannot_have_says_so() {
    with_platform(|evaluate| {
        assert_eq!(
            evaluate("fetch('https://example.com')"),
            "Error: Network functions are not available in an expression: fetch cannot be called"
        );
        assert_eq!(evaluate("setTimeout(() => 1, 1)"), "Error: Timers (setTimeout) are not available in an expression");
        assert_eq!(
            evaluate("new Intl.DateTimeFormat('fr')"),
            "RangeError: The locale \"fr\" is not available in an expression; only English (United States), \"en-US\", is"
        );
        // Not in the comparison because Node 20 decodes Latin-1 where the standard has windows-1252.
        assert_eq!(evaluate("new TextDecoder('latin1').decode(new Uint8Array([0x80, 0x9f, 0xe9]))"), "\"€Ÿé\"");
        assert_eq!(evaluate("typeof __host"), "\"undefined\"");
        assert_eq!(evaluate("console.log('x')"), "undefined");
    });
}

#[test]
fn random_values_are_random() {
    with_platform(|evaluate| {
        assert_eq!(evaluate("new Set(Array.from({ length: 100 }, () => crypto.randomUUID())).size"), "100");
        assert_eq!(
            evaluate(
                "/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID())"
            ),
            "true"
        );
        assert_eq!(evaluate("new Set(crypto.getRandomValues(new Uint32Array(100))).size > 90"), "true");
    });
}

/// Whatever is passed, a function gives a result or throws: nothing aborts the process and nothing runs for long.
#[test]
fn odd_arguments_give_a_result_or_an_error() {
    const ODD: [&str; 28] = [
        "undefined",
        "null",
        "NaN",
        "-0",
        "-1",
        "1e9",
        "1e308",
        "-Infinity",
        "2 ** 53",
        "10n ** 40n",
        "''",
        "'\\u0000'",
        "'\\ud800'",
        "'x'.repeat(100000)",
        "'😀\\udc00'",
        "[]",
        "[[]]",
        "[1, [2, '\\ud800']]",
        "({})",
        "({ toString: null, valueOf: null })",
        "({ get year() { throw new Error('got') } })",
        "() => 1",
        "Symbol('s')",
        "new Date(NaN)",
        "new Uint8Array(3)",
        "(() => { const bytes = new Uint8Array(3); bytes.buffer.transfer(); return bytes })()",
        "(() => { const buffer = new ArrayBuffer(3); buffer.transfer(); return buffer })()",
        "new Proxy({}, { get() { throw new Error('trapped') }, ownKeys() { throw new Error('trapped') } })",
    ];
    const CALLS: [&str; 42] = [
        "new Date(X)",
        "new Date(X, X)",
        "Date.parse(X)",
        "new Date(0).setFullYear(X, X, X)",
        "new Date(0).setYear(X)",
        "new Date(0).toLocaleString(X, X)",
        "new Intl.DateTimeFormat('en-US', X).format(0)",
        "new Intl.DateTimeFormat(X)",
        "new Intl.DateTimeFormat('en-US', { timeZone: X })",
        "new Intl.DateTimeFormat('en-US', { fractionalSecondDigits: X, hour12: X }).format(0)",
        "new Intl.DateTimeFormat('en-US', { timeZone: 'Europe/Berlin', timeZoneName: 'long' }).format(X)",
        "new Intl.NumberFormat('en-US', X).format(1)",
        "new Intl.NumberFormat('en-US').format(X)",
        "new Intl.NumberFormat('en-US', { maximumSignificantDigits: X }).format(1.5)",
        "new Intl.PluralRules('en').select(X)",
        "new Intl.RelativeTimeFormat('en').format(X, 'day')",
        "new Intl.ListFormat('en').format(X)",
        "new Intl.Locale(X)",
        "'a'.localeCompare(X, X, X)",
        "new TextEncoder().encode(X)",
        "new TextEncoder().encodeInto(X, new Uint8Array(4))",
        "new TextEncoder().encodeInto('abc', X)",
        "new TextDecoder(X)",
        "new TextDecoder().decode(X)",
        "new TextDecoder('utf-8', X).decode(X, X)",
        "atob(X)",
        "btoa(X)",
        "Buffer.from(X)",
        "Buffer.from('abc', X)",
        "Buffer.from('abc').toString(X, X, X)",
        "Buffer.concat(X)",
        "new URL(X)",
        "new URL('a', X)",
        "(() => { const url = new URL('https://example.com/a?b#c'); for (const part of ['host', 'port', 'hash', 'protocol', 'search', 'href']) url[part] = X; return url.href })()",
        "new URLSearchParams(X).toString()",
        "(() => { const params = new URLSearchParams(); params.append(X, X); params.set(X, X); params.delete(X); return params.get(X) })()",
        "crypto.subtle.digest(X, X)",
        "crypto.subtle.digest('SHA-256', X)",
        "crypto.subtle.importKey('raw', X, { name: 'HMAC', hash: 'SHA-256' }, false, []).then((key) => crypto.subtle.sign('HMAC', key, X))",
        "crypto.getRandomValues(X)",
        "new Blob(X, X).slice(X, X, X).text()",
        "(async () => { const out = []; for await (const chunk of ReadableStream.from(X)) out.push(chunk); return out })()",
    ];
    with_platform(|evaluate| {
        for call in CALLS {
            for odd in ODD {
                let expression = call.replace('X', &format!("({odd})"));
                let began = std::time::Instant::now();
                evaluate(&format!("(async () => {{ await ({expression}); return 'done' }})()"));
                assert!(began.elapsed() < std::time::Duration::from_secs(20), "{expression}");
            }
        }
    });
}
