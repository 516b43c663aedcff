package compliance

import (
	"context"
	"fmt"
	"path"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// FileQuestion is a file at the head of the default branch of a repository.
type FileQuestion struct {
	Repository pipeline.Slug
	ID         int64 // of the repository
	Path       string
}

// FileAnswer is what GitHub says of a file.
type FileAnswer struct {
	Content []byte
	Gone    bool  // there is no such file
	Err     error // it is not known
}

// readVariables reads variables.yml of each customer whose property restricts the regions.
func (s *Scan) readVariables(ctx context.Context, all []Repository) {
	s.variables = map[pipeline.CustomerName]FileAnswer{}
	if !s.Rules.Regions {
		return
	}
	var customers []pipeline.Customer
	var questions []FileQuestion
	scanned := 0
	for _, repo := range all {
		if s.skips(repo, scanned) != "" {
			continue
		}
		scanned++
		for _, c := range s.Customers[repo.ID] {
			if _, value := regionOf(c, repo.Properties); value.Form == pipeline.PropertyText && value.Text != "" {
				customers = append(customers, c)
				questions = append(questions, FileQuestion{repo.Slug, repo.ID, path.Join(c.Path, pipeline.VariablesFile)})
			}
		}
	}
	if len(questions) == 0 {
		return
	}
	for i, answer := range s.GitHub.Files(ctx, questions) {
		s.variables[customers[i].Name] = answer
	}
}

// regionOf is the property that restricts the regions of a customer, and its value; unset where nothing does.
func regionOf(c pipeline.Customer, properties pipeline.Properties) (name string, value pipeline.Property) {
	if c.Manager.Properties == nil || !properties.Known() {
		return "", value
	}
	name = c.Manager.Properties.Names[pipeline.MeaningRegion]
	return name, properties.Get(name)
}

// regions compares variables.yml of the customers of a repository with the property that restricts the regions. A
// value that metapipe.yml does not know rejects each request, and so does one that is no text.
func (c *checker) regions() {
	if !c.Rules.Regions {
		return
	}
	for _, customer := range c.Customers[c.repo.ID] {
		name, property := regionOf(customer, c.repo.Properties)
		switch property.Form {
		case pipeline.PropertyOther:
			c.unknown("properties", fmt.Sprintf("GitHub has a value of property %s in a form that is not known", name))
		case pipeline.PropertyList:
			c.add(RuleRegion, name, pipeline.Position{}, fmt.Sprintf("property %s is a list, and must be one text", name), "let the organization define it as a text or a single-select property")
		}
		answer, asked := c.Scan.variables[customer.Name]
		if !asked || answer.Gone {
			continue
		}
		value := property.Text
		file := path.Join(customer.Path, pipeline.VariablesFile)
		if _, known := customer.Manager.Properties.Regions[value]; !known {
			c.add(RuleRegion, name, pipeline.Position{}, fmt.Sprintf("property %s is %s, which metapipe.yml does not know", name, pipeline.Quote(value)), "set it to a value that properties.regions of metapipe.yml names")
			continue
		}
		if answer.Err != nil {
			c.unknown("variables", answer.Err.Error())
			continue
		}
		document, problems := c.Parse(customer, file, answer.Content)
		if problems.Err() != nil {
			c.unknown("variables", fmt.Sprintf("%s has problems: %v", file, problems.Err()))
			continue
		}
		var environments []pipeline.Environment
		for _, d := range document.Environments() {
			if env := pipeline.Environment(d.Name); customer.Allows(env) {
				environments = append(environments, env)
			}
		}
		outside, err := customer.Manager.Properties.CheckRegions(value, document, environments)
		switch {
		case err != nil:
			c.unknown("variables", err.Error())
		case len(outside) > 0:
			more := ""
			if n := len(outside) - 1; n > 0 {
				more = fmt.Sprintf(" (and %d more)", n)
			}
			c.add(RuleRegion, name, pipeline.Position{}, fmt.Sprintf("%s: %s%s", outside[0].Position, outside[0].Message, more), outside[0].Remedy)
		}
	}
}
