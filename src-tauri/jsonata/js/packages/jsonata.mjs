// What is changed in jsonata 2.2.1 before it is bundled, and its second, synchronous evaluator.
import { FAST_EVALUATOR, FAST_FUNCTIONS } from './fast.mjs';
import { FAST_PATHS } from './paths.mjs';
import { SIGNATURE } from './signatures.mjs';
import { patch, unpack } from './unpack.mjs';

const NO_HOOKS = [
  // Nothing here registers these hooks, and looking for them took a tenth of an evaluation.
  {
    from: `        var entryCallback = environment.lookup(Symbol.for('jsonata.__evaluate_entry'));
        if(entryCallback) {
            await entryCallback(expr, input, environment);
        }
`,
    to: '',
  },
  {
    from: `        var exitCallback = environment.lookup(Symbol.for('jsonata.__evaluate_exit'));
        if(exitCallback) {
            await exitCallback(expr, input, environment, result);
        }
`,
    to: '',
  },
  // The engine has limits of its own; jsonata's count of the depth is never read without the option for it.
  { from: '        environment.base.depth++;\n        environment.base.guardrails();\n', to: '' },
  { from: '        environment.base.depth--;\n', to: '' },
];

// A value in a message may be a million numbers: with a function that is called for each, the engine can interrupt it.
const MESSAGES = [
  { from: 'return JSON.stringify(err[arguments[1]]);', to: 'return JSON.stringify(err[arguments[1]], (name, value) => value);' },
];

// Functions and operators that make large values of large values.
const LARGE = [
  {
    from: '                result = proc.implementation.apply(focus, validatedArgs);\n',
    to: `                result = proc.implementation.apply(focus, validatedArgs);
                if (result !== undefined && result !== null && result.length > MAX_AT_ONCE) {
                    look();
                }
`,
  },
  {
    from: '        result = lstr.concat(rstr);\n',
    to: `        result = lstr.concat(rstr);
        if (result.length > MAX_AT_ONCE) {
            look();
        }
`,
  },
  { from: "var parser = require('./parser');\n", to: "var parser = require('./parser');\nconst { MAX_AT_ONCE, look } = require('relink-clock');\n" },
];

// A frame whose bindings inherit from those around it: a lookup is one property access, not a chain of closures.
const FRAMES = [
  {
    from: `    function createFrame(enclosingEnvironment) {
        var bindings = Object.create(null);
        const newFrame = {
            bind: function (name, value) {
                bindings[name] = value;
            },
            lookup: function (name) {
                var value;
                if(Object.prototype.hasOwnProperty.call(bindings, name)) {
                    value = bindings[name];
                } else if (enclosingEnvironment) {
                    value = enclosingEnvironment.lookup(name);
                }
                return value;
            },
            timestamp: enclosingEnvironment ? enclosingEnvironment.timestamp : null,
            async: enclosingEnvironment ? enclosingEnvironment.async : false,
            isParallelCall: enclosingEnvironment ? enclosingEnvironment.isParallelCall : false,
            global: enclosingEnvironment ? enclosingEnvironment.global : {
                ancestry: [ null ]
            }
        };

        if (enclosingEnvironment) {
            var framePushCallback = enclosingEnvironment.lookup(Symbol.for('jsonata.__createFrame_push'));
            if(framePushCallback) {
                framePushCallback(enclosingEnvironment, newFrame);
            }
            newFrame.base = enclosingEnvironment.base;
        }
       

        return newFrame
    }`,
    to: `    // No class: frames are made before this line is reached.
    function Frame(enclosing) {
        this.bindings = Object.create(enclosing ? enclosing.bindings : null);
        this.timestamp = enclosing ? enclosing.timestamp : null;
        this.base = enclosing ? enclosing.base : undefined;
    }

    Frame.prototype.bind = function(name, value) {
        this.bindings[name] = value;
    };

    Frame.prototype.lookup = function(name) {
        return this.bindings[name];
    };

    function createFrame(enclosingEnvironment) {
        return new Frame(enclosingEnvironment);
    }`,
  },
  { from: '                        environment.isParallelCall = idx > 0\n', to: '' },
  { from: '            environment.isParallelCall = idx > 0\n', to: '' },
];

// Truto's functions come with the text of their parameters, which the bundle writes differently.
const PARAMETERS = [
  {
    from: `        var signature = func.toString();
        var sigParens = /\\(([^)]*)\\)/.exec(signature)[1]; // the contents of the parens
`,
    to: `        var sigParens = func.parameters !== undefined ? func.parameters : /\\(([^)]*)\\)/.exec(func.toString())[1];
`,
  },
];

// Truto's functions are registered once for all expressions, and one syntax tree serves both evaluators.
const SHARED = [
  { from: '            ast = parser(expr, options && options.recover);', to: "            ast = typeof expr === 'string' ? parser(expr) : expr;" },
  {
    from: '    jsonata.parser = parser;',
    to: `    jsonata.register = function(name, implementation, signature) {
        staticFrame.bind(name, defineFunction(implementation, signature));
    };
    jsonata.names = () => Object.keys(staticFrame.bindings);
    // A function keeps where it was called last, for errors: an evaluation must not see that of another one.
    jsonata.forgetCalls = () => {
        for (const definition of Object.values(staticFrame.bindings)) {
            definition.token = undefined;
            definition.position = undefined;
        }
    };
    jsonata.parser = parser;`,
  },
];

const FUNCTIONS = [
  // One long string instead of an array as long as the padding, which nothing could interrupt.
  { from: 'var padding = (new Array(padLength + 1)).join(char);', to: 'var padding = String(char).repeat(padLength);' },
  // A loop can be interrupted; copying a million items at once can't.
  {
    from: '        return arg1.concat(arg2);\n',
    to: `        if (size < 10000) {
            return arg1.concat(arg2);
        }
        var appended = [];
        for (const item of arg1) {
            appended.push(item);
        }
        for (const item of arg2) {
            appended.push(item);
        }
        return appended;
`,
  },
];

// V8 takes a part of a text without copying it; QuickJS copies, for each token the rest of the expression.
const TOKENS = [
  { from: 'var numregex = /^-?(0', to: 'var numregex = /-?(0' },
  { from: '([Ee][-+]?[0-9]+)?/;\n', to: '([Ee][-+]?[0-9]+)?/y;\n            numregex.lastIndex = position;\n' },
  { from: 'numregex.exec(path.substring(position))', to: 'numregex.exec(path)' },
];

// Only functions keep where they are called: Truto's functions can give an object that all objects inherit from.
const CALLS = [
  { from: "            if(typeof proc === 'object') {\n", to: "            if(typeof proc === 'object' && (proc === null || isFunction(proc))) {\n" },
  {
    from: `            if(result.body.procedure.type === 'variable') {
                next.token = result.body.procedure.value;
            }
            next.position = result.body.procedure.position;
`,
    to: `            if(next === undefined || next === null || isFunction(next)) {
                if(result.body.procedure.type === 'variable') {
                    next.token = result.body.procedure.value;
                }
                next.position = result.body.procedure.position;
            }
`,
  },
];

/**
 * The synchronous evaluator: the same text without its \`async\` and \`await\`. Where the original would wait, call a function of
 * Truto's with a callback, or fail, it fails, and the engine runs the original instead: its results are the original's.
 */
function synchronous(source) {
  return source
    .replace(/await Promise\.all\(((?:expr\.expressions|Object\.keys\(groups\)))/g, '($1')
    .replace(/\basync (function|\()/g, '$1')
    .replace(/\bawait /g, '');
}

const WAITS = "throw new Error('waits')";
const SYNCHRONOUS_EVALUATOR = [
  { from: 'result = result;', to: WAITS, times: 3 },
  // Only jsonata's own functions take callbacks that don't return promises; \`proc\` is known before its arguments are.
  {
    from: '            if(isFunction(arg)) {\n                // wrap this in a closure\n',
    to: `            if(isFunction(arg)) {
                if(proc && proc._jsonata_function === true && proc.implementation.synchronous === false || typeof proc === 'function') {
                    ${WAITS};
                }
                // wrap this in a closure
`,
  },
];
const SYNCHRONOUS_FUNCTIONS = [
  // A function that is put in as text differs from the original's.
  {
    from: "            if (typeof pattern === 'string') {\n                var index = str.indexOf(pattern, position);\n",
    to: `            if (typeof pattern === 'string') {
                if (typeof replacement !== 'string') {
                    ${WAITS};
                }
                var index = str.indexOf(pattern, position);
`,
  },
  { from: 'result = result;', to: WAITS },
  { from: 'replacedWith = replacedWith;', to: WAITS },
];

// What Node calls QuickJS's errors in regular expressions; Node also says which one it is.
const REGEX_ERRORS = {
  "expecting ')'": 'Unterminated group',
  'duplicate group name': 'Duplicate capture group name',
  'extraneous characters at the end': "Unmatched ')'",
  'group name not defined': 'Invalid named capture referenced',
  'invalid class range': 'Range out of order in character class',
  'invalid group': 'Invalid group',
  'invalid group name': 'Invalid capture group name',
  'invalid repetition count': 'numbers out of order in {} quantifier',
  'nothing to repeat': 'Nothing to repeat',
  'unexpected end': 'Unterminated character class',
};
const PARSER = [
  {
    from: '                    return new RegExp(pattern, flags);\n',
    to: `                    try {
                        return new RegExp(pattern, flags);
                    } catch(err) {
                        var reason = ${JSON.stringify(REGEX_ERRORS)}[err.message] || err.message;
                        throw new SyntaxError('Invalid regular expression: /' + pattern + '/' + flags.split('').sort().join('') + ': ' + reason);
                    }
`,
  },
];

/** The sources that the bundle takes in place of the package's, by the name that they are imported under. */
export function jsonataModules(file) {
  const modules = unpack(file);
  const functions = patch(modules.functions, FUNCTIONS);
  const evaluator = patch(modules.jsonata, [...NO_HOOKS, ...MESSAGES, ...LARGE, ...CALLS, ...FRAMES, ...PARAMETERS, ...SHARED]);
  return {
    jsonata: evaluator,
    functions,
    datetime: modules.datetime,
    parser: patch(modules.parser, [...TOKENS, ...PARSER]),
    signature: patch(modules.signature, SIGNATURE),
    utils: modules.utils,
    'jsonata-synchronous': patch(synchronous(evaluator).replace("require('./functions')", "require('./functions-synchronous')"), [...SYNCHRONOUS_EVALUATOR, ...FAST_EVALUATOR, ...FAST_PATHS]),
    'functions-synchronous': patch(synchronous(functions), [...SYNCHRONOUS_FUNCTIONS, ...FAST_FUNCTIONS]),
  };
}
