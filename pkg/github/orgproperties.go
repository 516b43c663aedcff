package github

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// OrganizationProperties reads all repositories of an organization that the token sees and their
// custom properties, by the id of the repository: one call for each 100 of them. The answers say
// nothing of default branches and archives, and none has an Err. The token needs the
// permission to read the custom properties of the organization. A person is ErrNotFound.
// Source: https://docs.github.com/rest/orgs/custom-properties
func (c *Client) OrganizationProperties(ctx context.Context, organization string) (map[int64]pipeline.RepositoryAnswer, error) {
	k := call{op: "read the custom properties of the repositories of " + organization, method: http.MethodGet, route: "/orgs/{org}/properties/values",
		args: []string{organization}, query: url.Values{}, repeatable: true, advice: map[int]string{
			http.StatusForbidden: "give the token the permission to read the custom properties of organization " + organization + ", or name one customer",
		}}
	rows, err := collect[struct {
		ID     int64           `json:"repository_id"`
		Name   string          `json:"repository_full_name"`
		Values []propertyValue `json:"properties"`
	}](ctx, c, k)
	if err != nil {
		return nil, err
	}
	all := make(map[int64]pipeline.RepositoryAnswer, len(rows))
	for _, row := range rows {
		if _, twice := all[row.ID]; twice || row.ID <= 0 {
			return nil, k.fail(fmt.Errorf("repository id %d is listed twice, or is none", row.ID))
		}
		slug, err := pipeline.ParseSlug(row.Name)
		if err != nil {
			return nil, k.fail(fmt.Errorf("the name of the repository with id %d: %w", row.ID, err))
		}
		all[row.ID] = pipeline.RepositoryAnswer{Repository: pipeline.Repository{Slug: slug, ID: row.ID}, Properties: propertiesOf(row.Values)}
	}
	return all, nil
}

// propertyValue is a property in a list of GitHub.
type propertyValue struct {
	Name  string          `json:"property_name"`
	Value json.RawMessage `json:"value"`
}

// propertiesOf reads a list of properties as that of an answer about a repository. One that
// cannot be read so is unknown.
func propertiesOf(values []propertyValue) pipeline.Properties {
	object := make(map[string]json.RawMessage, len(values))
	for _, v := range values {
		if _, twice := object[v.Name]; twice || len(v.Value) == 0 {
			return pipeline.Properties{}
		}
		object[v.Name] = v.Value
	}
	raw, err := json.Marshal(object)
	if err != nil {
		return pipeline.Properties{}
	}
	return knownProperties(raw)
}
