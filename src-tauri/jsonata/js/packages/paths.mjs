// Patches of the synchronous evaluator that give the same results with less work for an interpreter: paths.

export const FAST_PATHS = [
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
    to: '            addFlattened(resultSequence, result);',
  },
  // A path of names without a sequence for each step.
  {
    from: '    function evaluatePath(expr, input, environment) {\n',
    to: `    function isPlainStep(step) {
        return step.stages === undefined && step.tuple === undefined && step.focus === undefined && step.index === undefined &&
            step.ancestor === undefined && step.predicate === undefined && step.group === undefined && step.keepArray === undefined;
    }

    function isPlainPath(expr) {
        return expr.group === undefined && !expr.tuple && !expr.keepSingletonArray && expr.steps.every(
            (step, index) => (step.type === 'name' || (index === 0 && step.type === 'variable' && expr.steps.length > 1)) && isPlainStep(step)
        );
    }

    function evaluatePlainPath(expr, input, environment) {
        var steps = expr.steps;
        var value = input;
        var at = 0;
        if (steps[0].type === 'variable') {
            value = evaluateVariable(steps[0], input, environment);
            at = 1;
        } else if (isArray(input)) {
            return evaluateNames(steps, 0, input, environment);
        }
        for (; at < steps.length; at++) {
            if (typeof value !== 'object' || value === null) {
                return undefined;
            }
            if (isArray(value)) {
                return value.sequence === true || value.cons ? evaluatePath(expr, input, environment) : evaluateNames(steps, at, value, environment);
            }
            var name = steps[at].value;
            if (!hasOwn(value, name) || value._jsonata_function === true || value._jsonata_lambda === true) {
                return undefined;
            }
            value = value[name];
        }
        return isArray(value) && value.sequence === true ? evaluatePath(expr, input, environment) : value;
    }

    // The rest of a plain path, from the items of an array.
    function evaluateNames(steps, at, items, environment) {
        for (; at < steps.length; at++) {
            var step = steps[at];
            var name = step.value;
            var found = [];
            var hasArray = false;
            for (var ii = 0; ii < items.length; ii++) {
                var item = items[ii];
                if (typeof item !== 'object' || item === null) {
                    continue;
                }
                var value;
                if (isArray(item)) {
                    value = evaluate(step, item, environment);
                } else if (hasOwn(item, name) && item._jsonata_function !== true && item._jsonata_lambda !== true) {
                    value = item[name];
                    if (typeof value === 'object' && isArray(value) && value.sequence === true) {
                        value = evaluate(step, item, environment);
                    }
                } else {
                    continue;
                }
                if (value !== undefined) {
                    found.push(value);
                    hasArray = hasArray || (typeof value === 'object' && isArray(value));
                }
            }
            if (hasArray) {
                if (at === steps.length - 1 && found.length === 1 && isArray(found[0]) && !isSequence(found[0])) {
                    return found[0];
                }
                items = [];
                addFlattened(items, found);
            } else {
                items = found;
            }
        }
        items.sequence = true;
        return items;
    }

    function addFlattened(sequence, values) {
        for (var rr = 0; rr < values.length; rr++) {
            var item = values[rr];
            if (!isArray(item) || item.cons) {
                sequence.push(item);
            } else {
                for (var vv = 0; vv < item.length; vv++) {
                    var member = item[vv];
                    if (member !== undefined || vv in item) {
                        sequence.push(member);
                    }
                }
            }
        }
    }

    function evaluatePath(expr, input, environment) {
`,
  },
];
