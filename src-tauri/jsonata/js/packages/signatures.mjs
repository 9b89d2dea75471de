// Patches that give the same results with less work for an interpreter.

// Whether a signature's expression matches depends on the types alone, and few combinations of them occur. Most of them leave the
// arguments as they are.
export const SIGNATURE = [
  { from: '        var regex = new RegExp(regexStr);\n', to: '        var regex = new RegExp(regexStr);\n        var matches = new Map();\n' },
  {
    from: '            var symbol;\n            if (utils.isFunction(value)) {\n',
    to: `            if (typeof value === 'string') {
                return 's';
            }
            if (typeof value === 'number') {
                return 'n';
            }
            var symbol;
            if (utils.isFunction(value)) {
`,
  },
  {
    from: '        var throwValidationError = function (badArgs, badSig) {\n',
    to: `        // Undefined if an array has items that the function doesn't take.
        var argumentsInOrder = function (args, found) {
            var inOrder = [];
            for (var index = 0; index < params.length; index++) {
                var arg = args[index];
                var param = params[index];
                var symbol = found[index + 1];
                if (param.type === 'a' && symbol === 'm') {
                    arg = undefined;
                } else if (param.type === 'a' && symbol !== '') {
                    if (param.subtype !== undefined) {
                        if (symbol !== 'a') {
                            if (symbol !== param.subtype) {
                                return undefined;
                            }
                        } else {
                            for (var at = 0; at < arg.length; at++) {
                                if (getSymbol(arg[at]) !== param.subtype.charAt(0)) {
                                    return undefined;
                                }
                            }
                        }
                    }
                    if (symbol !== 'a') {
                        arg = [arg];
                    }
                }
                inOrder.push(arg);
            }
            return inOrder;
        };

        var throwValidationError = function (badArgs, badSig) {
`,
  },
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
                        // Each parameter takes one argument, or none, and none of them the context.
                        isInOrder: found !== null && params.every((param, index) => {
                            var count = found[index + 1].length;
                            return count === 1 || (count === 0 && !(param.context && param.contextRegex));
                        }),
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
                if (known.isInOrder) {
                    var inOrder = argumentsInOrder(args, known.found);
                    if (inOrder !== undefined) {
                        return inOrder;
                    }
                }
                var isValid = known.found;
`,
  },
];
