//! Expressions that a grammar generates: most are valid, few make sense.

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

const BUILT_IN: &str = "abs append assert average base64decode base64encode boolean ceil clone contains count decodeUrl \
    decodeUrlComponent distinct each encodeUrl encodeUrlComponent error eval exists filter floor formatBase formatInteger formatNumber \
    fromMillis join keys length lookup lowercase map match max merge min not now number pad parseInteger power random reduce replace \
    reverse round shuffle sift single sort split spread sqrt string substring substringAfter substringBefore sum toMillis trim type \
    uppercase zip millis";
const TRUTOS: &str = "base64ToBlob blob bufferToString chunk compact convertCurrencyFromSubunit convertCurrencyToSubunit \
    convertHtmlToMarkdown convertMarkdownToAdf convertMarkdownToGoogleDocs convertMarkdownToHtml convertMarkdownToNotion \
    convertMarkdownToSlack convertMdToPdf convertNotionToMarkdown convertNotionToMd convertQueryToSql dependencyGraph diceCoefficient \
    difference digest dtFromFormat dtFromIso find firstNonEmpty flatten flattenDeep flattenDepth generateEmbeddingsCohere getArrayBuffer \
    getDataUri getMimeType groupBy jsToXml jsonParse jsonToCsv jsonToParquet keyBy lofilter mapValues mostSimilar omit orderBy \
    parseDocument parseQuery parseUrl pick recursiveCharacterTextSplitter removeEmpty removeEmptyItems sign sortNodes stringifyQuery \
    teeStream toNumber uuid values wrap xmlToJs zipSqlResponse";
const MEMBERS: &str = "toISO toISODate toFormat toMillis toSeconds toUnixInteger toUTC setZone plus minus startOf endOf diff toObject \
    toJSDate year month day weekday zoneName isValid constructor prototype __proto__ toString hasOwnProperty length";

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "-1",
    "0.1",
    "1e3",
    "7.5e-3",
    "1e308",
    "1e400",
    "9007199254740993",
    "100000000000000000000000000",
    "1e7",
];
const STRINGS: &[&str] = &[
    "''",
    "'a'",
    "\"\\u0000\\ud800\"",
    "'2026-02-28T23:30:00+05:30'",
    "'yyyy-MM-dd HH:mm ZZZZ'",
    "'[Y0001]-[M01]-[D01] [FNn]'",
    "'#,##0.00;(0)'",
    "'<a b=\"1\"><c/>x</a>'",
    "'# Title\\n* one\\n* **two**'",
    "'https://u:p@example.com:8080/a/../b?x=1&y[]=2#z'",
    "'漢字🙂e\u{301}'",
    "'{\"a\":[1,{}]}'",
    "'a.b[c].d'",
    "'Europe/Lisbon'",
    "'$$.a ~> $string()'",
];
/// Some take long for a text that nearly matches.
const PATTERNS: &[&str] =
    &["/a/", "/(a+)+$/", "/(?:x|x)*y/i", "/^(.*?,){9}z/", "/(?<=a)b/", "/[^\\s]+/m", "/()/", "/(\\d+)-(\\d+)/"];
const NAMES: &[&str] = &["a", "b", "`c d`", "list", "text", "nested", "missing", "*", "**", "%", "$", "$$"];
const BINARY: &[&str] = &[
    "+", "-", "*", "/", "%", "&", "=", "!=", "<", "<=", ">", ">=", " and ", " or ", " in ", "..", "~>", ".", ":=",
    "?:", "??",
];

/// What follows a value.
const AFTER: &[&str] =
    &["[]", "[0]", "[-1]", "^(a)", "^(>a, <b)", "#$i", "@$j", "{a: b}", "[a > 1]", ".*", ".**", ".%"];

fn words(list: &'static str) -> impl Strategy<Value = &'static str> {
    select(list.split_whitespace().collect::<Vec<_>>())
}

/// Mostly small, and sometimes so large that what comes of it has to end by a limit.
fn size() -> impl Strategy<Value = u64> {
    prop_oneof![30 => 0_u32..3, 1 => 3_u32..10].prop_map(|zeros| 10_u64.pow(zeros))
}

fn leaf() -> impl Strategy<Value = String> {
    let known = |list: &'static [&'static str]| select(list).prop_map(str::to_owned);
    prop_oneof![
        3 => known(NUMBERS),
        3 => known(STRINGS),
        4 => known(NAMES),
        1 => known(PATTERNS),
        1 => select(vec!["true", "false", "null", "[]", "{}", "$x", "$f", "$unknown", "?", "$now()", "$millis()"]).prop_map(str::to_owned),
        1 => "[ -~]{0,12}".prop_map(|text| format!("{text:?}")),
        1 => any::<f64>().prop_map(|number| number.to_string()),
        2 => size().prop_map(|to| format!("[1..{to}]")),
        1 => size().prop_map(|size| format!("$pad('ab', {size})")),
    ]
}

/// A call of any function, with mostly too many, too few or wrong arguments.
fn call(inner: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = String> {
    let function = prop_oneof![3 => words(BUILT_IN), 3 => words(TRUTOS)];
    (function, vec(inner, 0..4)).prop_map(|(name, arguments)| format!("${name}({})", arguments.join(", ")))
}

/// Recursion, of which some never ends.
fn recursive(inner: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = String> {
    let condition = prop_oneof![30 => Just("$n <= 0"), 1 => Just("false")];
    let step = select(vec![
        "$f($n - 1)",
        "1 + $f($n - 1)",
        "$f($n - 1) & $f($n - 2)",
        "[$f($n - 1)]",
        "$map([$n - 1, $n - 2], $f)",
    ]);
    (inner, condition, step)
        .prop_map(|(base, condition, step)| format!("($f := function($n) {{ {condition} ? {base} : {step} }}; $f(7))"))
}

fn composed(inner: impl Strategy<Value = String> + Clone + 'static) -> BoxedStrategy<String> {
    let one = inner.clone();
    let two = (inner.clone(), inner.clone());
    let three = (inner.clone(), inner.clone(), inner.clone());
    let higher = select(vec!["map", "filter", "reduce", "sift", "each", "single", "sort", "find", "groupBy"]);
    prop_oneof![
        (two.clone(), select(BINARY)).prop_map(|((left, right), operator)| format!("{left}{operator}{right}")),
        call(inner.clone()),
        (one.clone(), select(AFTER)).prop_map(|(value, after)| format!("{value}{after}")),
        (one.clone(), words(MEMBERS), vec(inner.clone(), 0..3))
            .prop_map(|(value, member, arguments)| format!("{value}.{member}({})", arguments.join(", "))),
        (one.clone(), words(MEMBERS)).prop_map(|(value, member)| format!("$dtFromIso({value}).{member}")),
        (two.clone(), higher)
            .prop_map(|((list, body), function)| format!("${function}({list}, function($v, $i) {{ {body} }})")),
        three.prop_map(|(condition, yes, no)| format!("{condition} ? {yes} : {no}")),
        vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(", "))),
        vec((inner.clone(), inner.clone()), 0..4).prop_map(|pairs| {
            let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            format!("{{{}}}", pairs.join(", "))
        }),
        vec(inner.clone(), 1..4).prop_map(|block| format!("($x := {})", block.join("; "))),
        two.clone().prop_map(|(update, delete)| format!("$ ~> |{update}|{{'z': {delete}}}, ['a']|")),
        (one.clone(), select(PATTERNS)).prop_map(|(text, pattern)| format!("$replace({text}, {pattern}, '$1')")),
        one.clone().prop_map(|inner| format!("-{inner}")),
        one.clone().prop_map(|inner| format!("$eval({inner:?})")),
        one.prop_map(|inner| format!("function($a, $b)<s-:n>{{ {inner} }}")),
        recursive(inner),
    ]
    .boxed()
}

/// One piece many times within itself, deeper than a person would write.
fn deep() -> impl Strategy<Value = String> {
    let shells = [
        ("(", ")"),
        ("[", "]"),
        ("{'a': ", "}"),
        ("-", ""),
        ("$not(", ")"),
        ("1 + (", ")"),
        ("$f := function() {", "}"),
        ("a[", "]"),
        ("true ? ", ""),
    ];
    (select(shells.to_vec()), 1_usize..3_000, leaf(), any::<Index>()).prop_map(|((open, close), depth, leaf, cut)| {
        let close = close.repeat(depth);
        // Mostly closed correctly.
        let kept = if cut.index(4) == 0 { cut.index(close.len() + 1) } else { close.len() };
        format!("{}{leaf}{}", open.repeat(depth), &close[..kept])
    })
}

pub(crate) fn expression() -> BoxedStrategy<String> {
    let nested = leaf().prop_recursive(6, 48, 4, |inner| composed(inner.boxed()));
    prop_oneof![100 => nested, 1 => deep()].boxed()
}
