// Patches that give the same results with less work for an interpreter.

/** Of the synchronous evaluator only, so that the original stays what it is compared with. */
export const FAST_EVALUATOR = [
  {
    from: "if (Object.prototype.hasOwnProperty.call(expr, 'predicate')) {",
    to: 'if (expr.predicate !== undefined) {',
  },
  {
    from: "if (expr.type !== 'path' && Object.prototype.hasOwnProperty.call(expr, 'group')) {",
    to: "if (expr.group !== undefined && expr.type !== 'path') {",
  },
  {
    from: '    function evaluate(expr, input, environment) {\n        var result;\n',
    to: `    function evaluate(expr, input, environment) {
        var result;
        if ((expr.type === 'string' || expr.type === 'number') && expr.predicate === undefined && expr.group === undefined) {
            return expr.value;
        }
`,
  },
  {
    from: `        var focus = {
            createSequence: environment.base.createSequence
        };
        return fn.lookup.call(focus, input, expr.value);`,
    to: '        return fn.lookup.call(environment.base, input, expr.value);',
  },
  {
    from: `            Array.prototype.forEach.call(result, function(res) {
                if (!Array.isArray(res) || res.cons) {
                    // it's not an array - just push into the result sequence
                    resultSequence.push(res);
                } else {
                    // res is a sequence - flatten it into the parent sequence
                    Array.prototype.forEach.call(res, val => resultSequence.push(val));
                }
            });`,
    to: `            for (var rr = 0; rr < result.length; rr++) {
                var item = result[rr];
                if (!Array.isArray(item) || item.cons) {
                    resultSequence.push(item);
                } else {
                    for (var vv = 0; vv < item.length; vv++) {
                        if (vv in item) resultSequence.push(item[vv]);
                    }
                }
            }`,
  },
  // A path of names through objects, as most are, without a sequence for each step. Where it meets an array, the original's way.
  {
    from: '    function evaluatePath(expr, input, environment) {\n',
    to: `    function isPlainStep(step) {
        return step.stages === undefined && step.tuple === undefined && step.focus === undefined && step.index === undefined &&
            step.ancestor === undefined && step.predicate === undefined && step.group === undefined && step.keepArray === undefined;
    }

    function isPlainPath(expr) {
        return expr.group === undefined && !expr.tuple && !expr.keepSingletonArray && expr.steps.length > 1 && expr.steps.every(
            (step, index) => (step.type === 'name' || (index === 0 && step.type === 'variable')) && isPlainStep(step)
        );
    }

    // What plainValue gives where only the original's way leads to the result.
    var NOT_PLAIN = Symbol('not plain');

    // The value at the end of a plain path.
    function plainValue(steps, input, environment) {
        var value = input;
        var at = 0;
        if (steps[0].type === 'variable') {
            value = evaluateVariable(steps[0], input, environment);
            at = 1;
        }
        for (; at < steps.length; at++) {
            if (value === null || typeof value !== 'object') {
                return typeof value === 'function' ? NOT_PLAIN : undefined;
            }
            if (Array.isArray(value) || isFunction(value)) {
                return NOT_PLAIN;
            }
            if (!Object.hasOwn(value, steps[at].value)) {
                return undefined;
            }
            value = value[steps[at].value];
        }
        return Array.isArray(value) && value.sequence === true ? NOT_PLAIN : value;
    }

    function evaluatePath(expr, input, environment) {
        if (expr.isPlain === undefined) {
            expr.isPlain = isPlainPath(expr);
        }
        if (expr.isPlain && !Array.isArray(input)) {
            var value = plainValue(expr.steps, input, environment);
            if (value !== NOT_PLAIN) {
                return value;
            }
        }
`,
  },
  // An object that is constructed once, not for each item of an array.
  {
    from: `        var reduce = input && input.tupleStream ? true : false;
        var focus = {
            options: environment.base.options,
            createSequence: environment.base.createSequence
        };
        // group the input`,
    to: `        if (!Array.isArray(input) && !(input && input.tupleStream)) {
            var keys = [];
            for (var at = 0; at < expr.lhs.length; at++) {
                keys.push(evaluate(expr.lhs[at][0], input, environment));
            }
            if (keys.every((key, index) => typeof key === 'string' && !key.startsWith('_jsonata_') && keys.indexOf(key) === index)) {
                for (at = 0; at < keys.length; at++) {
                    var member = evaluate(expr.lhs[at][1], input, environment);
                    if (member !== undefined) {
                        result[keys[at]] = member;
                    }
                }
                return result;
            }
        }
        var reduce = input && input.tupleStream ? true : false;
        var focus = {
            options: environment.base.options,
            createSequence: environment.base.createSequence
        };
        // group the input`,
  },
  // No evaluation has jsonata's own limits.
  {
    from: `                exec_env.createSequence = function() {
                    var sequence = [];
                    if (options && options.sequence) {
                        sequence.push = function(...items) {
                            if(sequence.length + items.length > options.sequence) {
                                throw {
                                    code: "D2015",
                                    stack: (new Error()).stack,
                                    value: options.sequence
                                };
                            }
                            return Array.prototype.push.apply(sequence, items);
                        };
                    }
                    sequence.sequence = true;
                    if (arguments.length === 1) {
                        sequence.push(arguments[0]);
                    }
                    return sequence;
                }`,
    to: `                exec_env.createSequence = function(...items) {
                    items.sequence = true;
                    return items;
                }`,
  },
];

// Whether a signature's expression matches depends on the types alone, and few combinations of them occur. Most of them leave the
// arguments as they are.
export const SIGNATURE = [
  { from: '        var regex = new RegExp(regexStr);\n', to: '        var regex = new RegExp(regexStr);\n        var matches = new Map();\n' },
  {
    from: `                args.forEach(function (arg) {
                    suppliedSig += getSymbol(arg);
                });
                var isValid = regex.exec(suppliedSig);
`,
    to: `                for (var at = 0; at < args.length; at++) {
                    suppliedSig += getSymbol(args[at]);
                }
                var known = matches.get(suppliedSig);
                if (known === undefined) {
                    var found = regex.exec(suppliedSig);
                    known = {
                        found,
                        isAsSupplied: found !== null && params.length === args.length &&
                            params.every((param, index) => found[index + 1].length === 1 && param.type !== 'a'),
                    };
                    if (args.length < 8 && matches.size < 64) {
                        matches.set(suppliedSig, known);
                    }
                }
                if (known.isAsSupplied) {
                    return args.slice();
                }
                var isValid = known.found;
`,
  },
];
