package render

import (
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// propertyWords says which custom properties of the repository the request was accepted
// with, and what each does; nothing where none is set.
func propertyWords(req pipeline.Request) string {
	if req.Properties == nil {
		return ""
	}
	var words []string
	for _, u := range req.Properties.Used {
		if u.Value.Form == pipeline.PropertyUnset {
			continue
		}
		words = append(words, code(clip(u.Name, 80))+" = "+propertyValue(u.Value)+propertyEffect(req, u))
	}
	if len(words) == 0 {
		return ""
	}
	return "Custom properties: " + strings.Join(words, " · ") + "\n\n"
}

// choiceWords says which tools, version and approvals count for the request, and who
// says so; nothing where the provider uses no properties.
func choiceWords(req pipeline.Request) string {
	if req.Properties == nil {
		return ""
	}
	var words []string
	for _, c := range req.Properties.Choices {
		what, none := "", "none"
		switch c.What {
		case pipeline.ChoiceTools:
			what = "Tools"
		case pipeline.ChoiceVersion:
			what, none = "Version", "any"
		case pipeline.ChoiceApproval:
			what = "Approval"
		default:
			continue
		}
		value := none
		if c.Value != "" {
			value = code(clip(c.Value, 200))
		}
		words = append(words, what+": "+value+" ("+choiceOrigin(c)+")")
	}
	if len(words) == 0 {
		return ""
	}
	return strings.Join(words, " · ") + "\n\n"
}

func choiceOrigin(c pipeline.Choice) string {
	const provider = "set by your service provider"
	if c.Property == "" {
		return provider
	}
	property := "property " + code(clip(c.Property, 80))
	if c.Provider {
		return provider + " and " + property
	}
	return property
}

func propertyValue(p pipeline.Property) string {
	if p.Form != pipeline.PropertyList {
		return code(clip(p.Text, 60))
	}
	if len(p.List) == 0 {
		return "an empty list"
	}
	return code(clip(strings.Join(p.List, ", "), 120))
}

func propertyEffect(req pipeline.Request, u pipeline.UsedProperty) string {
	switch {
	case u.Meaning == pipeline.MeaningApproval && req.Properties.Approval:
		return " (each apply needs an approval)"
	case u.Meaning == pipeline.MeaningAutoDeploy && req.Properties.AutoDeploy == "false":
		return " (pushes are only planned)"
	case u.Meaning == pipeline.MeaningContent && req.Properties.OnlyApp():
		return " (nothing is deployed)"
	case u.Meaning == pipeline.MeaningTools && len(u.Value.List) == 0:
		return " (nothing is deployed)"
	case u.Meaning == pipeline.MeaningVersion && req.Properties.Version != "":
		return " (" + code(clip(req.Properties.Version, 40)) + ")"
	}
	return ""
}
