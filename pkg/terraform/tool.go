package terraform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"

	"github.com/hashicorp/go-version"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Tool is a binary that can plan and apply.
type Tool struct {
	Name    string // "terraform" or "tofu"
	Path    string // absolute
	Version string // such as "1.11.4"
}

func (t Tool) toolVersion() pipeline.ToolVersion {
	return pipeline.ToolVersion{Name: t.Name, Version: t.Version}
}

// atLeast reports whether the version is at least major.minor.
func (t Tool) atLeast(major, minor int) bool {
	v, err := version.NewVersion(t.Version)
	if err != nil {
		return false
	}
	s := v.Segments()
	return s[0] > major || s[0] == major && s[1] >= minor
}

// finder looks for one rule and remembers what did not fit, for the message.
type finder struct {
	*Engine
	rule       pipeline.ToolRule
	constraint version.Constraints
	unfit      []string
	log        *progress
}

// Locate finds the tool of rule: the named binary, the first one in PATH that
// fits the constraint, the highest fitting one in the cache, or one that it
// installs. When there is none the error is a *pipeline.UsageError that names
// the remedies.
func (e *Engine) Locate(ctx context.Context, rule pipeline.ToolRule) (Tool, error) {
	return e.locate(ctx, rule, nil)
}

// locate is Locate that tells log before it downloads.
func (e *Engine) locate(ctx context.Context, rule pipeline.ToolRule, log io.Writer) (Tool, error) {
	f, err := e.newFinder(rule)
	if err != nil {
		return Tool{}, err
	}
	f.log = newProgress(log)
	if e.options.BinaryPath != "" {
		return f.given(ctx)
	}
	for _, find := range []func(context.Context) (Tool, error){f.inPath, f.inCache, f.install} {
		tool, err := find(ctx)
		if err != nil || tool.Path != "" {
			return tool, err
		}
	}
	return Tool{}, f.missing(nil)
}

func (e *Engine) newFinder(rule pipeline.ToolRule) (*finder, error) {
	if rule.Name != "terraform" && rule.Name != "tofu" {
		return nil, &pipeline.UsageError{
			Message: fmt.Sprintf("tool %q is not known", rule.Name),
			Next:    "set tool.name in metapipe.yml to terraform or tofu",
		}
	}
	f := &finder{Engine: e, rule: rule}
	if rule.Constraint == "" {
		return f, nil
	}
	constraint, err := version.NewConstraint(rule.Constraint)
	if err != nil {
		return nil, &pipeline.UsageError{
			Message: fmt.Sprintf("tool.version %q is no version constraint", rule.Constraint),
			Next:    `write it like "~> 1.11" or ">= 1.9, < 2.0"`,
			Err:     err,
		}
	}
	f.constraint = constraint
	return f, nil
}

func (f *finder) fits(v string) bool {
	if f.constraint == nil {
		return true
	}
	parsed, err := version.NewVersion(v)
	return err == nil && f.constraint.Check(parsed)
}

// wanted is the rule for people: `terraform "~> 1.11"`.
func (f *finder) wanted() string {
	if f.rule.Constraint == "" {
		return f.rule.Name
	}
	return fmt.Sprintf("%s %q", f.rule.Name, f.rule.Constraint)
}

func (f *finder) given(ctx context.Context) (Tool, error) {
	path, err := filepath.Abs(f.options.BinaryPath)
	if err != nil {
		return Tool{}, fmt.Errorf("find %s: %w", f.rule.Name, err)
	}
	v, err := f.version(ctx, path)
	if err != nil {
		return Tool{}, &pipeline.UsageError{
			Message: fmt.Sprintf("the given binary %s does not answer", path),
			Next:    fmt.Sprintf("set METAPIPE_TOOL to the path of a working %s, or unset it to use the one in PATH", f.rule.Name),
			Err:     err,
		}
	}
	if !f.fits(v) {
		return Tool{}, &pipeline.UsageError{
			Message: fmt.Sprintf("the given binary %s is version %s, and %s is wanted", path, v, f.wanted()),
			Next:    "set METAPIPE_TOOL to the path of another binary, or unset it, or change tool.version in metapipe.yml",
		}
	}
	return Tool{Name: f.rule.Name, Path: path, Version: v}, nil
}

// inPath tries the binaries of that name in the order of PATH.
func (f *finder) inPath(ctx context.Context) (Tool, error) {
	for _, dir := range filepath.SplitList(f.getenv("PATH")) {
		// A relative entry would let a checkout bring its own terraform.
		if !filepath.IsAbs(dir) {
			continue
		}
		path := filepath.Join(dir, executable(f.rule.Name))
		if !isExecutable(path) {
			continue
		}
		path, err := f.unwrap(path)
		if err != nil {
			return Tool{}, err
		}
		v, err := f.version(ctx, path)
		if ctx.Err() != nil {
			return Tool{}, fmt.Errorf("find %s: %w", f.rule.Name, ctx.Err())
		}
		if err != nil {
			f.unfit = append(f.unfit, fmt.Sprintf("%s does not answer (%v)", path, err))
			continue
		}
		if f.fits(v) {
			return Tool{Name: f.rule.Name, Path: path, Version: v}, nil
		}
		f.unfit = append(f.unfit, fmt.Sprintf("%s is %s", path, v))
	}
	return Tool{}, nil
}

// unwrap looks through the wrapper that setup-terraform and setup-opentofu put
// into PATH: it swallows output and exit codes that we need. The real binary
// stands beside it as <name>-bin, in the directory that <NAME>_CLI_PATH names.
func (f *finder) unwrap(path string) (string, error) {
	variable := strings.ToUpper(f.rule.Name) + "_CLI_PATH"
	for _, dir := range []string{f.getenv(variable), filepath.Dir(path)} {
		actual := filepath.Join(dir, executable(f.rule.Name+"-bin"))
		if filepath.IsAbs(dir) && isExecutable(actual) {
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
	return "", &pipeline.UsageError{
		Message: fmt.Sprintf("%s is the wrapper of the setup action, and the real binary is not beside it", path),
		Next:    fmt.Sprintf("set `%s` in the setup step of the workflow", setup[f.rule.Name]),
	}
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
func (f *finder) inCache(ctx context.Context) (Tool, error) {
	if f.options.CacheDir == "" {
		return Tool{}, nil
	}
	dir := filepath.Join(f.options.CacheDir, "tools")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return Tool{}, nil
	}
	if err != nil {
		return Tool{}, fmt.Errorf("look for %s in the cache: %w", f.rule.Name, err)
	}
	var fitting []*version.Version
	for _, entry := range entries {
		text, ok := strings.CutPrefix(entry.Name(), f.rule.Name+"-")
		v, err := version.NewVersion(text)
		if ok && err == nil && f.fits(text) && v.Original() == text {
			fitting = append(fitting, v)
		}
	}
	sort.Sort(sort.Reverse(version.Collection(fitting)))
	for _, v := range fitting {
		path := filepath.Join(dir, f.rule.Name+"-"+v.Original(), executable(f.rule.Name))
		got, err := f.version(ctx, path)
		if err == nil && got == v.Original() {
			return Tool{Name: f.rule.Name, Path: path, Version: got}, nil
		}
		f.unfit = append(f.unfit, fmt.Sprintf("%s in the cache is not that version", path))
	}
	return Tool{}, nil
}

func (f *finder) missing(err error) error {
	message := f.wanted() + " is needed, and there is none"
	if len(f.unfit) > 0 {
		message = f.wanted() + " is needed; " + strings.Join(f.unfit, ", ")
	}
	if err != nil {
		message += "; downloading it failed"
	}
	return &pipeline.UsageError{
		Message: message,
		Next:    "install it and put it into PATH, set METAPIPE_TOOL to its path, or change tool.version in metapipe.yml",
		Err:     err,
	}
}

func executable(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	return runtime.GOOS == "windows" || info.Mode().Perm()&0o111 != 0
}
