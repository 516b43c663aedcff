package text

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// common returns the elements that an alignment pairs, and checks that each pair is one.
func common(t *testing.T, a, b []int) []int {
	t.Helper()
	var out []int
	last := Pair{-1, -1}
	for _, p := range Align(a, b) {
		if p.A <= last.A || p.B <= last.B || a[p.A] != b[p.B] {
			t.Fatalf("%v and %v: pair %v after %v", a, b, p, last)
		}
		last = p
		out = append(out, a[p.A])
	}
	return out
}

func TestAlign(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want []int }{
		{nil, nil, nil},
		{[]int{1, 2}, nil, nil},
		{[]int{1, 2, 3, 4, 5}, []int{2, 3, 4}, []int{2, 3, 4}},
		{[]int{2, 3, 4}, []int{1, 2, 3, 4, 5}, []int{2, 3, 4}},
		{[]int{1, 2, 3}, []int{3, 1, 2}, []int{1, 2}},
		{[]int{1, 1, 2, 1}, []int{1, 2, 1, 1}, []int{1, 2, 1}},
		{[]int{1, 2}, []int{3, 4}, nil},
	} {
		if got := common(t, c.a, c.b); !slices.Equal(got, c.want) {
			t.Errorf("%v and %v: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

// TestAlignLong: of long lists of distinct elements nothing common is lost, and
// lists without a unique element end soon.
func TestAlignLong(t *testing.T) {
	t.Parallel()
	const n = 20_000
	random := rand.New(rand.NewPCG(1, 2))
	var a, b, want []int
	for i := range n {
		switch random.IntN(10) {
		case 0:
			a = append(a, i)
		case 1:
			b = append(b, i)
		default:
			a, b, want = append(a, i), append(b, i), append(want, i)
		}
	}
	if got := common(t, a, b); !slices.Equal(got, want) {
		t.Errorf("%d of %d common elements were found", len(got), len(want))
	}
	twice, other := make([]int, n), make([]int, n)
	for i := range n {
		twice[i], other[i] = random.IntN(50), random.IntN(50)
	}
	begin := time.Now()
	common(t, twice, other)
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}
