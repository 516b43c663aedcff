package tool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hashicorp/go-version"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Binary is a binary that can plan and apply.
type Binary struct {
	Name    string // "terraform" or "tofu"
	Path    string // absolute
	Version string // such as "1.11.4"
}

func (t Binary) ToolVersion() pipeline.ToolVersion {
	return pipeline.ToolVersion{Name: t.Name, Version: t.Version}
}

// AtLeast reports whether the version is at least major.minor.
func (t Binary) AtLeast(major, minor int) bool {
	v, err := version.NewVersion(t.Version)
	if err != nil {
		return false
	}
	s := v.Segments()
	return s[0] > major || s[0] == major && s[1] >= minor
}

// Finder looks for tools on one machine.
type Finder struct {
	Environ    process.Environ
	CacheDir   string // empty: nothing is cached and nothing can be installed
	BinaryPath string // the binary to use; empty: the one in PATH
	Install    InstallFunc
}

// search looks for one rule and remembers what did not fit, for the message.
type search struct {
	Finder
	rule       pipeline.ToolRule
	constraint version.Constraints
	unfit      []string
	log        func(string)
}

// Find finds the tool of rule: the named binary, the first one in PATH that
// fits the constraint, the highest fitting one in the cache, or one that it
// installs, which it reports to log before. When there is none the error is a
// *pipeline.UsageError that names the remedies.
func (f Finder) Find(ctx context.Context, rule pipeline.ToolRule, log func(string)) (Binary, error) {
	s, err := f.search(rule)
	if err != nil {
		return Binary{}, err
	}
	s.log = log
	if f.BinaryPath != "" {
		return s.given(ctx)
	}
	for _, find := range []func(context.Context) (Binary, error){s.inPath, s.inCache, s.download} {
		tool, err := find(ctx)
		if err != nil || tool.Path != "" {
			return tool, err
		}
	}
	return Binary{}, s.missing(nil)
}

func (f Finder) search(rule pipeline.ToolRule) (*search, error) {
	if rule.Name != "terraform" && rule.Name != "tofu" {
		return nil, pipeline.Usagef("tool %q is not known", rule.Name).Nextf("set tool.name in metapipe.yml to terraform or tofu")
	}
	s := &search{Finder: f, rule: rule}
	if rule.Constraint == "" {
		return s, nil
	}
	constraint, err := version.NewConstraint(rule.Constraint)
	if err != nil {
		return nil, pipeline.Usagef("tool.version %q is no version constraint", rule.Constraint).Because(err).
			Nextf(`write it like "~> 1.11" or ">= 1.9, < 2.0"`)
	}
	s.constraint = constraint
	return s, nil
}

func (s *search) fits(v string) bool {
	if s.constraint == nil {
		return true
	}
	parsed, err := version.NewVersion(v)
	return err == nil && s.constraint.Check(parsed)
}

// wanted is the rule for people: `terraform "~> 1.11"`.
func (s *search) wanted() string {
	if s.rule.Constraint == "" {
		return s.rule.Name
	}
	return fmt.Sprintf("%s %q", s.rule.Name, s.rule.Constraint)
}

func (s *search) given(ctx context.Context) (Binary, error) {
	path, err := filepath.Abs(s.BinaryPath)
	if err != nil {
		return Binary{}, fmt.Errorf("find %s: %w", s.rule.Name, err)
	}
	next := fmt.Sprintf("set METAPIPE_TOOL to the path of a working %s, or unset it to use the one in PATH", s.rule.Name)
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return Binary{}, pipeline.Usagef("METAPIPE_TOOL names %s, which does not exist", path).Nextf("%s", next)
	case err == nil && info.IsDir():
		return Binary{}, pipeline.Usagef("METAPIPE_TOOL names %s, which is a directory", path).Nextf("%s", next)
	}
	v, err := s.Version(ctx, path)
	if err != nil {
		return Binary{}, pipeline.Usagef("the given binary %s does not answer", path).Because(err).Nextf("%s", next)
	}
	if !s.fits(v) {
		return Binary{}, pipeline.Usagef("the given binary %s is version %s, and %s is wanted", path, v, s.wanted()).
			Nextf("set METAPIPE_TOOL to the path of another binary, or unset it, or change tool.version in metapipe.yml")
	}
	return Binary{Name: s.rule.Name, Path: path, Version: v}, nil
}

// inPath tries the binaries of that name in the order of PATH.
func (s *search) inPath(ctx context.Context) (Binary, error) {
	for _, path := range s.Environ.InPath(s.rule.Name) {
		path, err := s.unwrap(path)
		if err != nil {
			return Binary{}, err
		}
		v, err := s.Version(ctx, path)
		if ctx.Err() != nil {
			return Binary{}, fmt.Errorf("find %s: %w", s.rule.Name, ctx.Err())
		}
		if err != nil {
			s.unfit = append(s.unfit, fmt.Sprintf("%s does not answer (%v)", path, err))
			continue
		}
		if s.fits(v) {
			return Binary{Name: s.rule.Name, Path: path, Version: v}, nil
		}
		s.unfit = append(s.unfit, fmt.Sprintf("%s is %s", path, v))
	}
	return Binary{}, nil
}

// unwrap looks through the wrapper that setup-terraform and setup-opentofu put
// into PATH: it swallows output and exit codes that we need. The real binary
// stands beside it as <name>-bin, in the directory that <NAME>_CLI_PATH names.
func (s *search) unwrap(path string) (string, error) {
	variable := strings.ToUpper(s.rule.Name) + "_CLI_PATH"
	for _, dir := range []string{s.Environ.Get(variable), filepath.Dir(path)} {
		actual := filepath.Join(dir, process.Executable(s.rule.Name+"-bin"))
		if filepath.IsAbs(dir) && process.IsExecutable(actual) {
			return actual, nil
		}
	}
	wrapper, err := isSetupWrapper(path, variable)
	if err != nil {
		return "", fmt.Errorf("look at %s: %w", path, err)
	}
	if !wrapper {
		return path, nil
	}
	setup := map[string]string{"terraform": "terraform_wrapper: false", "tofu": "tofu_wrapper: false"}
	return "", pipeline.Usagef("%s is the wrapper of the setup action, and the real binary is not beside it", path).
		Nextf("set `%s` in the setup step of the workflow", setup[s.rule.Name])
}

// isSetupWrapper reports whether path is the Node script of a setup action.
func isSetupWrapper(path, variable string) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	head, err := io.ReadAll(io.LimitReader(file, 2))
	if err != nil || string(head) != "#!" {
		return false, err
	}
	body, err := io.ReadAll(io.LimitReader(file, 4<<20))
	if err != nil {
		return false, err
	}
	first, _, _ := strings.Cut(string(body), "\n")
	return strings.Contains(first, "node") && strings.Contains(string(body), variable), nil
}

// inCache takes the highest fitting version of the cache.
func (s *search) inCache(ctx context.Context) (Binary, error) {
	if s.CacheDir == "" {
		return Binary{}, nil
	}
	dir := filepath.Join(s.CacheDir, "tools")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return Binary{}, nil
	}
	if err != nil {
		return Binary{}, fmt.Errorf("look for %s in the cache: %w", s.rule.Name, err)
	}
	var fitting []*version.Version
	for _, entry := range entries {
		text, ok := strings.CutPrefix(entry.Name(), s.rule.Name+"-")
		v, err := version.NewVersion(text)
		if ok && err == nil && s.fits(text) && v.Original() == text {
			fitting = append(fitting, v)
		}
	}
	sort.Sort(sort.Reverse(version.Collection(fitting)))
	for _, v := range fitting {
		path := filepath.Join(dir, s.rule.Name+"-"+v.Original(), process.Executable(s.rule.Name))
		got, err := s.Version(ctx, path)
		if err == nil && got == v.Original() {
			return Binary{Name: s.rule.Name, Path: path, Version: got}, nil
		}
		s.unfit = append(s.unfit, fmt.Sprintf("%s in the cache is not that version", path))
	}
	return Binary{}, nil
}

func (s *search) missing(err error) error {
	message := s.wanted() + " is needed, and there is none"
	if len(s.unfit) > 0 {
		message = s.wanted() + " is needed; " + strings.Join(s.unfit, ", ")
	}
	if err != nil {
		message += "; downloading it failed"
	}
	return pipeline.Usagef("%s", message).Because(err).
		Nextf("install it and put it into PATH, set METAPIPE_TOOL to its path, or change tool.version in metapipe.yml")
}

// isRegular reports a file that is there and no directory.
func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
