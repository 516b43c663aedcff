package cli

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/content"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/doctor"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/tempdir"
	"github.com/metapipe/metapipe/pkg/variables"
	"github.com/metapipe/metapipe/workflows"
)

// triggerWorkflow is the one file from which the manager accepts requests.
func triggerWorkflow() string { return intake.TriggerWorkflow }

// shippedTrigger is the git id of the workflow of customers in this version.
func shippedTrigger() []pipeline.SHA {
	raw, err := workflows.Files.ReadFile("customer/" + path.Base(intake.TriggerWorkflow))
	if err != nil {
		return nil
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(raw))
	h.Write(raw)
	return []pipeline.SHA{pipeline.SHA(hex.EncodeToString(h.Sum(nil)))}
}

// builtInRules check variables.yml where the rules of the manager are not known.
func builtInRules(m pipeline.Manager) func(string, []byte) pipeline.Problems {
	return func(file string, raw []byte) pipeline.Problems {
		_, problems := variables.Parse(file, raw, m.Limits, nil)
		return problems
	}
}

// customer is what the repository of a customer is compared with.
func (x examination) customer(ctx context.Context, c pipeline.Customer) doctor.Customer {
	out := doctor.Customer{Name: string(c.Name), Repository: c.Repository, ID: c.RepositoryID, Path: c.Path, Workflow: triggerWorkflow(), Shipped: shippedTrigger(),
		Manager: x.slug, Offboarded: c.Offboarded}
	out.Variables = func(file string, raw []byte) pipeline.Problems {
		_, problems := x.parse(c, file, raw)
		return problems
	}
	rules := c.Manager.Properties
	if rules != nil {
		out.Properties = func(p pipeline.Properties) pipeline.Problems {
			_, problems := c.Narrow(p, config.VersionsOverlap)
			return problems
		}
	}
	if c.Manager.Content != nil {
		check := content.Check{Rules: *c.Manager.Content, Path: c.Path}
		if rules != nil {
			check.Name = rules.Names[pipeline.MeaningContent]
		}
		out.Files = func(files []doctor.TreeFile, p pipeline.Properties) (string, pipeline.Problems) {
			check := check
			if check.Name != "" {
				check.Value = p.Get(check.Name)
				if !p.Known() {
					check.Unread = "GitHub does not show the custom properties"
				}
			}
			return contentOfTree(ctx, check, files)
		}
	}
	return out
}

// maxTree is how many files are compared: each has a place on this machine for a moment.
const maxTree = 20_000

// contentOfTree compares the names of a repository's files.
func contentOfTree(ctx context.Context, check content.Check, files []doctor.TreeFile) (string, pipeline.Problems) {
	unknown := func(err error) (string, pipeline.Problems) {
		return "", pipeline.Problems{{Warning: true, Message: "the files were not compared: " + err.Error(), Remedy: "trigger compares them in each run"}}
	}
	if len(files) > maxTree {
		return unknown(fmt.Errorf("there are %d of them, and at most %d are compared", len(files), maxTree))
	}
	dir, remove, err := tempdir.New("")
	if err != nil {
		return unknown(err)
	}
	defer func() { _ = remove() }() // the next process removes what stays
	if err := writeNames(dir, files); err != nil {
		return unknown(err)
	}
	result, err := check.Run(ctx, dir)
	if err != nil {
		return unknown(err)
	}
	if result.Unknown != "" {
		return unknown(errors.New(result.Unknown))
	}
	problems := result.Problems
	for i := range problems {
		problems[i].Warning = !result.Enforce
	}
	if result.Type == "" {
		return "no content type is set", problems
	}
	return fmt.Sprintf("the files fit the type %s", result.Type), problems
}

// writeNames makes an empty file of each name, and a link of each link.
func writeNames(dir string, files []doctor.TreeFile) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range files {
		if err := root.MkdirAll(path.Dir(f.Path), 0o700); err != nil {
			return err
		}
		switch {
		case f.Mode == "120000":
			err = root.Symlink("target", f.Path)
		case f.Mode == "160000":
			if err = root.MkdirAll(f.Path, 0o700); err == nil {
				err = root.WriteFile(strings.TrimSuffix(f.Path, "/")+"/.git", nil, 0o600)
			}
		default:
			err = root.WriteFile(f.Path, nil, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
