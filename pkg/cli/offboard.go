package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/onboarding"
)

type offboardOptions struct {
	onboardingOptions
	name string
}

func newOffboardCmd(app *App) *cobra.Command {
	var o offboardOptions
	cmd := &cobra.Command{
		Use:   "offboard NAME",
		Short: "End the rights of a customer, and destroy nothing",
		Long: `offboard shows how a customer's rights end, and with --apply writes it: a pull request in
the manager that sets ` + "`offboarded: true`" + ` in customers/NAME.yml, and in the customer's repository
the removal of what onboard has made there, secrets first. The variable METAPIPE_ONBOARD of
the repository lists that. When the pull request is merged, the customer's requests are
refused.

State, ledger and infrastructure stay. docs/ENDING.md says how the environments are destroyed.
What was merged into the customer's repository stays there. Where another customer lives in
the same repository, only the file in the manager changes.

Each value is compared right before its write, read back after it, and recorded in the ledger
of the customer. A run that was interrupted can be run again.

Environment: as for onboard.
Exit code 1: something could not be written. Exit code 4: something else was there.`,
		Example: "  metapipe offboard shop\n  metapipe offboard shop --apply",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			return pipeline.Usagef("offboard takes the name of one customer, and got %d arguments", len(args)).Nextf("write: metapipe offboard NAME")
		},
		ValidArgsFunction: app.completeOne("customer"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name = args[0]
			return app.offboard(cmd.Context(), o)
		},
	}
	o.flags(cmd)
	return cmd
}

func (a *App) offboard(ctx context.Context, o offboardOptions) error {
	m, p, err := a.openOnboarding(ctx, o.onboardingOptions, pipeline.Slug{})
	if err != nil {
		return err
	}
	c, err := m.customer(o.name)
	if err != nil {
		return err
	}
	p.CustomerRepo = c.Repository
	p.Of = onboarding.Customer{Name: c.Name, RegisteredID: c.RepositoryID, Path: customerFile(c.Name), Directory: c.Path, Others: m.others(c.Name)}
	if p.Of.Files, err = m.firstFiles(c); err != nil {
		return err
	}
	p.Of.Variables = map[string]string{envManagerOwner: p.ManagerRepository.Owner, envManagerName: p.ManagerRepository.Name}
	if err := m.wantProperties(&p.Of, c.Repository, onboardOptions{}); err != nil {
		return err
	}
	before, err := os.ReadFile(filepath.Join(m.dir, filepath.FromSlash(p.Of.Path)))
	if err != nil {
		return pipeline.Usagef("read %s", p.Of.Path).Because(err)
	}
	after, err := offboarded(before)
	if err != nil {
		return pipeline.Usagef("%s cannot be changed", p.Of.Path).Because(err).Nextf("write `offboarded: true` into it with a pull request of your own")
	}
	if c.Offboarded {
		after = nil
	}
	result, err := p.Offboard(ctx, before, after)
	if pipeline.RepositoryUnseen(err) {
		result, err = p.OffboardFile(ctx, before, after)
	}
	if err != nil {
		return err
	}
	return m.playOnboarding(ctx, o.onboardingOptions, result, "")
}

// offboarded is the text of a customer's file with `offboarded: true`. All else in it stays as it is.
func offboarded(text []byte) ([]byte, error) {
	line := []byte("offboarded: true")
	key := regexp.MustCompile(`(?m)^offboarded[ \t]*:[^\r\n]*`)
	out := key.ReplaceAllLiteral(text, line)
	if !key.Match(text) {
		out = append(bytes.TrimRight(bytes.Clone(text), "\r\n"), append([]byte("\n"), append(line, '\n')...)...)
	}
	var was, is map[string]any
	if err := yaml.Unmarshal(text, &was); err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(out, &is); err != nil {
		return nil, err
	}
	if is["offboarded"] != true {
		return nil, errors.New("the file is not in a form that a line can be added to")
	}
	delete(was, "offboarded")
	delete(is, "offboarded")
	if !reflect.DeepEqual(was, is) {
		return nil, errors.New("the file is not in a form that a line can be added to")
	}
	return out, nil
}
