package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/render"
	"github.com/metapipe/metapipe/pkg/text"
)

// end prints what was found and decides the exit code.
func (v *validation) end() error {
	if err := v.show(); err != nil {
		return err
	}
	if !v.result.OK {
		return findingsError{count: len(v.result.Problems)}
	}
	return nil
}

// show prints what was found.
func (v *validation) show() error {
	v.result.OK = v.result.Problems.Err() == nil
	var err error
	if v.o.json {
		err = v.app.printJSON(v.result)
	} else {
		err = v.print()
	}
	return errors.Join(err, v.runner.Annotate(v.result.Problems))
}

func (v *validation) print() error {
	pen := v.app.pen
	if err := render.Problems(v.app.Out, pen, v.result.Problems); err != nil {
		return err
	}
	errs, warnings := 0, 0
	for _, p := range v.result.Problems {
		if p.Warning {
			warnings++
		} else {
			errs++
		}
	}
	what := v.o.managerDir
	if v.o.customerDir != "" {
		what = v.o.customerDir
	}
	what = render.TerminalLine(what)
	switch {
	case errs > 0:
		v.line("\n%s: %s, %s", what, pen.Paint(text.Red, count(errs, "error")), count(warnings, "warning"))
	case warnings > 0:
		v.line("\n%s: no problems, %s", what, pen.Paint(text.Yellow, count(warnings, "warning")))
	default:
		v.line("%s: %s", what, pen.Paint(text.Green, "no problems"))
	}
	v.paragraph(count(len(v.result.Checked), "check")+" made: ", strings.Join(v.result.Checked, "; "))
	if v.onlyPlan {
		v.paragraph("not checked: ", v.notChecked())
	}
	if v.o.managerDir != "" && v.o.customerDir == "" {
		v.paragraph("not checked: ", namesNotChecked)
	}
	for _, whom := range []string{forRehearsal, forGitHub} {
		v.printMissing(whom)
	}
	return v.writeErr
}

// notChecked is what validate cannot find in variables.yml, since it runs no tool.
func (v *validation) notChecked() string {
	code := "validation blocks, types and conditions of the Terraform code"
	if stacks := v.config.Manager.Stacks; len(stacks) > 0 && !slices.ContainsFunc(stacks, func(s pipeline.StackRule) bool { return s.Tool.Name == "terraform" || s.Tool.Name == "tofu" }) {
		code = "types and conditions of the provider's code"
	}
	return code + ", rules between two values, and what a provider accepts. `metapipe plan --customer-dir DIR --environment NAME` in the manager checkout finds those"
}

// namesNotChecked is what validate cannot find in a manager checkout, since it opens no
// store: a customer whose file was renamed or removed.
const namesNotChecked = "whether the store knows the customers by the names of their files; `metapipe state list` compares them"

func (v *validation) printMissing(whom string) {
	first := true
	for _, m := range v.result.Missing {
		if m.For != whom {
			continue
		}
		if first {
			v.line("missing for %s:", whom)
			first = false
		}
		v.paragraph("- ", m.What)
		v.paragraph("  → ", m.Next)
	}
}

// paragraph prints running text behind a beginning, broken at the terminal's width.
func (v *validation) paragraph(begin, running string) {
	running = render.TerminalLine(running)
	if v.app.pen.Width <= 0 {
		v.line("%s%s", begin, running)
		return
	}
	lines := text.Wrap(begin+running, v.app.pen.Columns())
	v.line("%s%s", begin[:len(begin)-len(strings.TrimLeft(begin, " "))], strings.Join(lines, "\n    "))
}

func (v *validation) line(format string, args ...any) {
	_, err := fmt.Fprintf(v.app.Out, format+"\n", args...)
	v.writeErr = errors.Join(v.writeErr, err)
}
