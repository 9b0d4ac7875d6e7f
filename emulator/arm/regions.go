package arm

import "strings"

// region is an Azure region as far as images depend on it.
type region struct {
	display string
	zrs     bool   // zone-redundant storage, without which an image cannot be zone resilient
	segment string // how operation URLs write it, where that is not the name
}

// Cloud is one of Azure's separate clouds.
type Cloud string

// The clouds, by the names that Azure's own tools give them. The empty Cloud is the public one.
const (
	PublicCloud       Cloud = "AzureCloud"
	ChinaCloud        Cloud = "AzureChinaCloud"
	USGovernmentCloud Cloud = "AzureUSGovernment"
)

// Audiences are what a token for the cloud's Resource Manager may be meant for: the older name
// first, as Azure lists them.
func (c Cloud) Audiences() []string {
	switch c {
	case ChinaCloud:
		return []string{"https://management.core.chinacloudapi.cn", "https://management.chinacloudapi.cn"}
	case USGovernmentCloud:
		return []string{"https://management.core.usgovcloudapi.net", "https://management.usgovcloudapi.net"}
	case PublicCloud:
	}
	return []string{"https://management.core.windows.net/", "https://management.azure.com/"}
}

// regions lists where compute is offered here, by name. ZRS is as Azure documents it: West US does
// not have it.
func regions(cloud Cloud) map[string]region {
	all := map[string]region{}
	add := func(zrs bool, displays ...string) {
		for _, display := range displays {
			all[regionName(display)] = region{display: display, zrs: zrs}
		}
	}
	switch cloud {
	case ChinaCloud:
		add(true, "China North 3")
		add(false, "China East", "China East 2", "China East 3", "China North", "China North 2")
		return all
	case USGovernmentCloud:
		add(true, "USGov Virginia")
		add(false, "USDoD Central", "USDoD East", "USGov Arizona", "USGov Texas")
		return all
	case PublicCloud:
	}
	all["francecentral"] = region{display: "France Central", zrs: true, segment: "FranceCentral"}
	add(true, "Australia East", "Brazil South", "Canada Central", "Central India", "Central US", "East Asia", "East US", "East US 2",
		"Germany West Central", "Israel Central", "Italy North", "Japan East", "Japan West", "Korea Central", "Mexico Central",
		"New Zealand North", "North Europe", "Norway East", "Poland Central", "Qatar Central", "South Africa North", "South Central US",
		"Southeast Asia", "Spain Central", "Sweden Central", "Switzerland North", "UAE North", "UK South", "West Europe", "West US 2", "West US 3")
	add(false, "Australia Central", "Australia Southeast", "Canada East", "France South", "Germany North", "Korea South", "North Central US",
		"Norway West", "South Africa West", "South India", "Sweden South", "Switzerland West", "UAE Central", "UK West", "West Central US",
		"West India", "West US")
	// Two regions of Azure's own tests, in which many of the recordings were made.
	add(true, "East US 2 EUAP")
	all["centraluseuap"] = region{display: "Central US EUAP", zrs: true, segment: "CentralUSEUAP"}
	return all
}

// regionName is a location as ARM stores it: "West US" and "westus" are one.
func regionName(location string) string {
	return strings.ToLower(strings.ReplaceAll(location, " ", ""))
}

func (r region) urlSegment(name string) string {
	if r.segment != "" {
		return r.segment
	}
	return name
}
