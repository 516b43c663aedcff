package sourcesync

import (
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// File is the file of the manager that names the sources.
const File = "sync.yml"

// Type says how a source is read.
type Type string

// The types of sources.
const (
	CSV        Type = "csv"
	JSON       Type = "json"
	HTTP       Type = "http"
	LDAP       Type = "ldap"
	ServiceNow Type = "servicenow"
	Teams      Type = "teams" // those of the organizations on GitHub
)

// Types are all of them.
var Types = []Type{CSV, JSON, HTTP, LDAP, ServiceNow, Teams}

// Key says what names a repository in a source.
type Key string

// The keys.
const (
	KeyID         Key = "repository_id"
	KeyRepository Key = "repository" // owner/name, as it is now
	KeyCustomer   Key = "customer"   // the name of its file in customers/
)

// Keys are all of them.
var Keys = []Key{KeyID, KeyRepository, KeyCustomer}

// Config is what sync.yml says.
type Config struct {
	// Organizations are those whose repositories are written to; none: the owners of the customers' repositories.
	Organizations []string
	Sources       []SourceConfig
	Properties    []PropertyRule // one for each property that a source gives
	MaxChange     int            // percent of the repositories that can get another value of one property
}

// DefaultMaxChange is how many percent of the repositories can get another value without --max-changes.
const DefaultMaxChange = 10

// SourceConfig is one source.
type SourceConfig struct {
	Name     string
	Type     Type
	Key      Key
	KeyField string // the field that holds the key
	Fields   []Field
	// MinRows is how many rows a whole read has at least. None at all is never whole.
	MinRows int
	Where   pipeline.Position

	Path string // csv and json: below the manager directory

	Rows string // json and http: where the list is, with dots; empty: at the top

	URL    string // http, ldap and servicenow
	CAFile string // below the manager directory: PEM certificates in place of the system's

	// Names of environment variables. Their values never stand in messages.
	UserEnv, PasswordEnv, TokenEnv string
	TokenHeader                    string // http: the header with the token alone; empty: Authorization with Bearer

	Next, NextParameter string // http: where an answer has the cursor of the next page, and the parameter that takes it
	Total               string // http: where an answer says how many rows there are in all

	PageSize int // ldap and servicenow; 0: the default

	StartTLS  bool   // ldap
	BindDN    string // ldap; empty: that of UserEnv
	Base      string // ldap
	Filter    string // ldap
	MembersOf string // ldap: only entries in this group, or in a group in it

	Table, Query string // servicenow
}

// Field returns what the source says of a property.
func (c SourceConfig) Field(property string) (Field, bool) {
	i := slices.IndexFunc(c.Fields, func(f Field) bool { return f.Property == property })
	if i < 0 {
		return Field{}, false
	}
	return c.Fields[i], true
}

// Field makes the value of a property of a field of a source.
type Field struct {
	Property string
	From     string
	// Trim, Lower, Map and Prefix change the text in this order.
	Trim, Lower bool
	Map         map[string]string // nil: none; a text that it does not have is reported
	Prefix      string
	OnMissing   Missing
	Where       pipeline.Position
}

// Missing says what it means that a source has no value.
type Missing string

// What a missing value means.
const (
	MissingKeep   Missing = "keep"   // nothing: the next source is asked
	MissingReport Missing = "report" // the same, and it is listed
	MissingUnset  Missing = "unset"  // what an earlier run has written is taken away
)

// Policies of a property.
const (
	First      = "first"  // two sources differ: the first one counts, and it is listed
	ReportOnly = "report" // two sources differ: it is listed, and nothing is written
	BySource   = "source" // a person has changed the value: the source counts
	ByHand     = "hand"   // a person has changed the value: it stays
)

// PropertyRule says which source counts for a property.
type PropertyRule struct {
	Name          string
	Sources       []string // the first one has the most authority
	OnConflict    string   // First or ReportOnly
	ChangedByHand string   // BySource or ByHand
	Where         pipeline.Position
}
