package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

const schemaRoute = "/orgs/{org}/properties/schema"

// PropertyDefinitions reads the custom properties that the owner of a repository and its enterprise
// have defined. A person is a *pipeline.NotVisibleError, and so is an organization that the token
// may not see. An App acts through the installation for the repository.
func (c *Client) PropertyDefinitions(ctx context.Context, via pipeline.Slug) ([]pipeline.PropertyDefinition, error) {
	k := call{op: "read the definitions of the custom properties of " + via.Owner, method: http.MethodGet, route: schemaRoute, args: []string{via.Owner}, via: via, repeatable: true}
	var raw []json.RawMessage
	if _, err := c.send(ctx, k, nil, &raw); err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, k.fail(errors.New("the answer is null, and no list"))
	}
	list := make([]pipeline.PropertyDefinition, 0, len(raw))
	for _, one := range raw {
		d, err := pipeline.ParsePropertyDefinition(one)
		if err == nil {
			if _, twice := pipeline.DefinitionNamed(list, d.Name); twice {
				err = fmt.Errorf("the answer defines %s twice", pipeline.Quote(d.Name))
			}
		}
		if err != nil {
			return nil, k.fail(err)
		}
		list = append(list, d)
	}
	return list, nil
}

// DefineProperties replaces or adds definitions, all of them or none: 1 to 100 by their names. What
// a definition leaves out falls back to its default.
func (c *Client) DefineProperties(ctx context.Context, organization string, definitions map[string]map[string]json.RawMessage) error {
	k := call{op: "define custom properties of " + organization, method: http.MethodPatch, route: schemaRoute, args: []string{organization}, repeatable: true}
	list := make([]map[string]json.RawMessage, 0, len(definitions))
	for _, name := range slices.Sorted(maps.Keys(definitions)) {
		one := maps.Clone(definitions[name])
		one["property_name"], _ = json.Marshal(name) // a text always encodes
		list = append(list, one)
	}
	_, err := c.send(ctx, k, map[string]any{"properties": list}, nil)
	return err
}

// DeleteProperty removes a definition, and the values of all repositories with it. One that is
// gone already is no error.
func (c *Client) DeleteProperty(ctx context.Context, organization, name string) error {
	k := call{op: fmt.Sprintf("delete the custom property %s of %s", pipeline.Quote(name), organization), method: http.MethodDelete,
		route: schemaRoute + "/{custom_property_name}", args: []string{organization, name}, repeatable: true}
	_, err := c.send(ctx, k, nil, nil)
	if !pipeline.NotVisible(err) {
		return err
	}
	defined, readErr := c.PropertyDefinitions(ctx, pipeline.Slug{Owner: organization})
	if _, there := pipeline.DefinitionNamed(defined, name); readErr != nil || there {
		return err
	}
	return nil
}

// SetProperties gives the same values to 1 to 30 repositories of one organization, all of them or
// none; an unset one takes the value away. GitHub takes names, and no ids: compare those before.
// An App acts through the installation for the first repository.
func (c *Client) SetProperties(ctx context.Context, repositories []pipeline.Slug, values map[string]pipeline.Property) error {
	if len(repositories) == 0 {
		return errors.New("set custom properties: no repository is named")
	}
	via := repositories[0]
	k := call{op: fmt.Sprintf("set custom properties of %d repositories of %s", len(repositories), via.Owner), method: http.MethodPatch,
		route: "/orgs/{org}/properties/values", args: []string{via.Owner}, via: via, repeatable: true}
	type value struct {
		Name  string            `json:"property_name"`
		Value pipeline.Property `json:"value"`
	}
	var in struct {
		Names  []string `json:"repository_names"`
		Values []value  `json:"properties"`
	}
	for _, repo := range repositories {
		if repo.Owner != via.Owner {
			return k.fail(fmt.Errorf("%s is not in %s", repo, via.Owner))
		}
		in.Names = append(in.Names, repo.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		in.Values = append(in.Values, value{name, values[name]})
	}
	_, err := c.send(ctx, k, in, nil)
	return err
}

// OwnedByPerson reports whether the owner of a repository is a person, whose repositories have no
// custom properties.
func (c *Client) OwnedByPerson(ctx context.Context, slug pipeline.Slug) (bool, error) {
	k := get(slug, "read the owner", "/repos/{owner}/{repo}")
	var got struct {
		Owner struct {
			Type string `json:"type"`
		} `json:"owner"`
	}
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return false, err
	}
	if got.Owner.Type == "" {
		return false, k.fail(errors.New("the answer does not say whether the owner is an organization"))
	}
	return got.Owner.Type != "Organization", nil
}
