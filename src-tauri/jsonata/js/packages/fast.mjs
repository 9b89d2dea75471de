// Patches of the synchronous evaluator that give the same results with less work for an interpreter. The original stays what it is
// compared with.

export const FAST_EVALUATOR = [
  // Each node of the syntax tree keeps the function that evaluates it: one property instead of a comparison for each type.
  {
    from: `    function evaluate(expr, input, environment) {
        var result;
`,
    to: `    function evaluate(expr, input, environment) {
        var run = expr.run;
        if (run === undefined) {
            run = expr.run = evaluatorOf(expr);
        }
        if (run === evaluateLiteral) {
            return expr.value;
        }
        var result = run(expr, input, environment);
        if (typeof result === 'object' && result !== null && result.sequence === true && isArray(result) && !result.tupleStream) {
            if (expr.keepArray) {
                result.keepSingleton = true;
            }
            if (result.length === 0) {
                return undefined;
            }
            if (result.length === 1 && !result.keepSingleton) {
                return result[0];
            }
        }
        return result;
    }

    function evaluatorOf(expr) {
        if (expr.predicate !== undefined || (expr.group !== undefined && expr.type !== 'path')) {
            return evaluateDecorated;
        }
        switch (expr.type) {
            case 'string':
            case 'number':
            case 'value':
                return evaluateLiteral;
            case 'name':
                return evaluateName;
            case 'variable':
                return evaluateVariable;
            case 'path':
                return isPlainPath(expr) ? evaluatePlainPath : evaluatePath;
            case 'binary':
                switch (expr.value) {
                    case '=':
                    case '!=':
                        return evaluateEquality;
                    case '&':
                        return evaluateConcatenation;
                    case 'and':
                        return evaluateAnd;
                    case 'or':
                        return evaluateOr;
                }
                return evaluateBinary;
            case 'unary':
                return expr.value === '{' ? evaluateGroupExpression : evaluateUnary;
            case 'condition':
                return evaluateCondition;
            case 'block':
                return evaluateBlock;
            case 'bind':
                return evaluateBindExpression;
            case 'function':
                return evaluateFunction;
            case 'lambda':
                return evaluateLambda;
        }
        return evaluateDecorated;
    }

    function evaluateEquality(expr, input, environment) {
        var lhs = evaluate(expr.lhs, input, environment);
        var rhs = evaluate(expr.rhs, input, environment);
        if (lhs === undefined || rhs === undefined) {
            return false;
        }
        var isEqual = lhs === rhs || (typeof lhs === 'object' && typeof rhs === 'object' && isDeepEqual(lhs, rhs));
        return expr.value === '=' ? isEqual : !isEqual;
    }

    function evaluateConcatenation(expr, input, environment) {
        var lhs = evaluate(expr.lhs, input, environment);
        var rhs = evaluate(expr.rhs, input, environment);
        return typeof lhs === 'string' && typeof rhs === 'string' && lhs.length + rhs.length <= MAX_AT_ONCE ? lhs.concat(rhs) : evaluateStringConcat(lhs, rhs);
    }

    function evaluateAnd(expr, input, environment) {
        return boolize(evaluate(expr.lhs, input, environment)) && boolize(evaluate(expr.rhs, input, environment));
    }

    function evaluateOr(expr, input, environment) {
        return boolize(evaluate(expr.lhs, input, environment)) || boolize(evaluate(expr.rhs, input, environment));
    }

    // Of any type, with predicates and a group.
    function evaluateDecorated(expr, input, environment) {
        var result;
`,
  },
  {
    from: "if (Object.prototype.hasOwnProperty.call(expr, 'predicate')) {",
    to: 'if (expr.predicate !== undefined) {',
  },
  {
    from: "if (expr.type !== 'path' && Object.prototype.hasOwnProperty.call(expr, 'group')) {",
    to: "if (expr.group !== undefined && expr.type !== 'path') {",
  },
  {
    from: `
        if(result && isSequence(result) && !result.tupleStream) {
            if(expr.keepArray) {
                result.keepSingleton = true;
            }
            if(result.length === 0) {
                result = undefined;
            } else if(result.length === 1) {
                result =  result.keepSingleton ? result : result[0];
            }

        }
`,
    to: '',
  },
  {
    from: `        var focus = {
            createSequence: environment.base.createSequence
        };
        return fn.lookup.call(focus, input, expr.value);`,
    to: '        return fn.lookup.call(environment.base, input, expr.value);',
  },
  // An object that is constructed once, not for each item of an array.
  {
    from: `        var reduce = input && input.tupleStream ? true : false;
        var focus = {
            options: environment.base.options,
            createSequence: environment.base.createSequence
        };
        // group the input`,
    to: `        if (!isArray(input) && !(input && input.tupleStream)) {
            var keys = expr.literalKeys;
            if (keys === undefined) {
                keys = expr.literalKeys = literalKeysOf(expr.lhs);
            }
            if (keys === null) {
                keys = [];
                for (var at = 0; at < expr.lhs.length; at++) {
                    keys.push(evaluate(expr.lhs[at][0], input, environment));
                }
                if (!areOwnGroups(keys)) {
                    keys = null;
                }
            }
            if (keys !== null) {
                for (at = 0; at < keys.length; at++) {
                    var member = evaluate(expr.lhs[at][1], input, environment);
                    if (member !== undefined) {
                        result[keys[at]] = member;
                    }
                }
                return result;
            }
        }
        var groups = Object.create(null);
        var reduce = input && input.tupleStream ? true : false;
        var focus = {
            options: environment.base.options,
            createSequence: environment.base.createSequence
        };
        // group the input`,
  },
  {
    from: `        var result = Object.create(null);
        var groups = Object.create(null);
`,
    to: '        var result = Object.create(null);\n',
  },
  {
    from: '    function reduceTupleStream(tupleStream, environment) {\n',
    to: `    // Null if they depend on the input.
    function literalKeysOf(pairs) {
        var keys = pairs.map(([key]) => key.type === 'string' && key.predicate === undefined && key.group === undefined ? key.value : undefined);
        return areOwnGroups(keys) ? keys : null;
    }

    function areOwnGroups(keys) {
        return keys.every((key, index) => typeof key === 'string' && !key.startsWith('_jsonata_') && keys.indexOf(key) === index);
    }

    function reduceTupleStream(tupleStream, environment) {
`,
  },
  {
    from: `                let generators = (expr.expressions
                    .map((item, idx) => {
                        return [item, evaluate(item, input, environment)]
                    }));
                for (let generator of generators) {
                    var [item, value] = generator;
                    if (typeof value !== 'undefined') {
                        if(item.value === '[') {
                            result.push(value);
                        } else {
                            result = fn.append.call(focus, result, value);
                        }
                    }
                }
`,
    to: `                for (var at = 0; at < expr.expressions.length; at++) {
                    var value = evaluate(expr.expressions[at], input, environment);
                    if (value !== undefined) {
                        if (expr.expressions[at].value === '[' || !isArray(value)) {
                            result.push(value);
                        } else if (expr.expressions.length === 1 && expr.expressions[0].type === 'binary' && expr.expressions[0].value === '..') {
                            // Nothing else refers to a range.
                            delete value.sequence;
                            result = value;
                        } else {
                            result = fn.append.call(focus, result, value);
                        }
                    }
                }
`,
  },
  { from: '        if (fn.boolean(condition)) {\n', to: '        if (condition === true || (condition !== false && fn.boolean(condition))) {\n' },
  // A call of isFunction costs more than what it finds out about most values.
  { from: '            if(isFunction(arg)) {\n                if(proc', to: "            if((typeof arg === 'object' || typeof arg === 'function') && isFunction(arg)) {\n                if(proc" },
  { from: '        while(isLambda(result) && result.thunk === true) {\n', to: "        while(typeof result === 'object' && isLambda(result) && result.thunk === true) {\n" },
  {
    from: `                if (isIterable(result)) {
                    result = result.next().value;
                }
`,
    to: `                if (typeof result !== 'object') {
                    return result;
                }
                if (isIterable(result)) {
                    result = result.next().value;
                }
`,
  },
  // Only what is bound needs a frame.
  {
    from: '        var frame = createFrame(environment);\n        // invoke each expression in turn\n',
    to: `        if (expr.isBinding === undefined) {
            expr.isBinding = bindsAny(expr.expressions);
        }
        var frame = expr.isBinding ? createFrame(environment) : environment;
        // invoke each expression in turn
`,
  },
  {
    from: '    function evaluateBlock(expr, input, environment) {\n',
    to: `    // Whether a variable is bound, outside of a block or function of its own.
    function bindsAny(node) {
        if (node === null || typeof node !== 'object') {
            return false;
        }
        if (node.type === 'bind') {
            return true;
        }
        return node.type !== 'block' && node.type !== 'lambda' && Object.values(node).some(bindsAny);
    }

    function evaluateBlock(expr, input, environment) {
`,
  },
  { from: '                    for (const v of Object.keys(bindings)) {\n', to: '                    for (const v in bindings) {\n' },
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
    to: '                exec_env.createSequence = createSequence;',
  },
  { from: '                    exec_env.guardrails = function() {};\n', to: '' },
  // A frame that refers to itself would wait for the garbage collector, with the input and all that is bound in it.
  {
    from: `                var it;
                try {
                    it = evaluate(ast, input, exec_env);
                    if (typeof callback === "function") {
                        callback(null, it);
                    }
                    return it;
                } catch (err) {
                    // insert error message into structure
                    populateMessage(err); // possible side-effects on \`err\`
                    throw err;
                }
`,
    to: `                try {
                    return evaluate(ast, input, exec_env);
                } finally {
                    exec_env.base = undefined;
                }
`,
  },
  {
    from: "    var staticFrame = createFrame(null);\n",
    to: `    var isArray = Array.isArray;
    var hasOwn = Object.hasOwn;
    var staticFrame = createFrame(null);

    function createSequence(...items) {
        items.sequence = true;
        return items;
    }
`,
  },
];

/** Of the functions of the synchronous evaluator. */
export const FAST_FUNCTIONS = [
  {
    from: `                var trues = arg.filter(function (val) {
                    return boolean(val);
                });
                result = trues.length > 0;
`,
    to: `                // All are looked at: numbers that aren't finite are errors.
                for (var at = 0; at < arg.length; at++) {
                    result = boolean(arg[at]) === true || result;
                }
`,
  },
];
