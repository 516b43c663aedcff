package record

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What an attempt to apply a plan came to, with everything that customers may read of it, is a
// record beside the plan. Its name has the number of the attempt, which is that of the entry in
// the ledger that begins it, or that says why it could not begin. That an attempt has begun, and
// whether the plan can still be applied, the ledger alone says.

// ApplyResultObject is the name of the result of apply attempt n.
func ApplyResultObject(n int) string { return fmt.Sprintf("%s%010d.json", applyPrefix, n) }

// applyPrefix begins the names of what an apply attempt leaves beside its plan.
const applyPrefix = "apply-"

// Results are the numbers of the apply attempts whose results the folder held when it was
// listed, in ascending order.
func (p PlanAttempt) Results() []int {
	var numbers []int
	for _, object := range p.Objects {
		digits, _ := strings.CutPrefix(strings.TrimSuffix(object, ".json"), applyPrefix)
		if n, err := strconv.Atoi(digits); err == nil && n > 0 && object == ApplyResultObject(n) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// LastResult is the last of Results, 0 when there was none.
func (p PlanAttempt) LastResult() int {
	numbers := p.Results()
	if len(numbers) == 0 {
		return 0
	}
	return numbers[len(numbers)-1]
}

// ReadApplyResult reads what apply attempt n came to. That of an attempt which has ended its
// plan holds the receipt and the model, too, so that no one needs to read the plan again.
func ReadApplyResult(ctx context.Context, s Reader, folder PlanAttempt, n int) (Result, error) {
	return readResult(ctx, s, folder, ApplyResultObject(n))
}
