package redact

import "testing"

func TestMarksWithoutLetterInOutput(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"aws.e\u0301": "aws.e\u0301", "aws.\u0301x": `aws.\u0301x`, "1\u0338": `1\u0338`, "\u0301": `\u0301`} {
		for _, log := range []bool{true, false} {
			if got := stripControl(in, log); got != want {
				t.Errorf("stripControl(%+q, %v) is %+q, want %+q", in, log, got, want)
			}
		}
	}
}
