package arm

import (
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
)

func isMetadata(r *http.Request) bool {
	return r.Method == http.MethodGet && fold(path.Clean(r.URL.Path)) == "/metadata/endpoints"
}

// authentication says who issues tokens for Resource Manager.
type authentication struct {
	LoginEndpoint    string   `json:"loginEndpoint"`
	Audiences        []string `json:"audiences"`
	Tenant           string   `json:"tenant,omitempty"`
	IdentityProvider string   `json:"identityProvider,omitempty"`
}

// metadata lists the addresses of this cloud's services. It is asked without a token. Services that
// exist here have the server's own address; for the others the answer has Azure's addresses.
//
// Source: answers of management.azure.com kept in the tests of pulumi-azure-native (2015-01-01,
// 2018-01-01, 2019-05-01), and the members that hashicorp/go-azure-sdk reads of 2022-09-01. The
// first two forms are one object without and with the regions of every cloud, the third is a list
// of clouds, the last one cloud.
func (s *Server) metadata(rq *request) answer {
	if bad := rq.checkVersion(); bad != nil {
		return bad.answer()
	}
	version, here := rq.apiVersion, s.endpointOf(rq)
	auth := authentication{LoginEndpoint: here, Audiences: s.options.Cloud.Audiences()}
	if version < "2018" {
		return answer{status: http.StatusOK, body: map[string]any{
			"galleryEndpoint": here, "graphEndpoint": here, "portalEndpoint": here, "authentication": auth,
		}}
	}
	auth.Tenant, auth.IdentityProvider = "common", "AAD"
	if version < "2019" {
		return answer{status: http.StatusOK, body: map[string]any{
			"galleryEndpoint": here, "graphEndpoint": here, "portalEndpoint": here, "graphAudience": here, "authentication": auth,
			"cloudEndpoint": map[string]any{"public": map[string]any{
				"endpoint": strings.SplitAfter(here, "//")[1], "locations": slices.Sorted(maps.Keys(s.state.regions)),
			}},
		}}
	}
	cloud := s.cloudMetadata(here, auth)
	if version < "2022" {
		return answer{status: http.StatusOK, body: []any{cloud}}
	}
	maps.Copy(cloud, map[string]any{
		"microsoftGraphResourceId": here, "appInsightsResourceId": "https://api.applicationinsights.io",
		"appInsightsTelemetryChannelResourceId": "https://dc.applicationinsights.azure.com/v2/track",
		"attestationResourceId":                 "https://attest.azure.net", "synapseAnalyticsResourceId": "https://dev.azuresynapse.net",
		"logAnalyticsResourceId": "https://api.loganalytics.io", "ossrDbmsResourceId": "https://ossrdbms-aad.database.windows.net",
	})
	return answer{status: http.StatusOK, body: cloud}
}

func (s *Server) cloudMetadata(here string, auth authentication) map[string]any {
	suffixes := map[string]string{
		"azureDataLakeStoreFileSystem": "azuredatalakestore.net", "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
		"acrLoginServer": "azurecr.io", "sqlServerHostname": "database.windows.net", "keyVaultDns": "vault.azure.net", "storage": "core.windows.net",
		"azureFrontDoorEndpointSuffix": "azurefd.net", "storageSyncEndpointSuffix": "afs.azure.net", "mhsmDns": "managedhsm.azure.net",
		"mysqlServerEndpoint": "mysql.database.azure.com", "postgresqlServerEndpoint": "postgres.database.azure.com",
		"mariadbServerEndpoint": "mariadb.database.azure.com", "synapseAnalytics": "dev.azuresynapse.net", "attestationEndpoint": "attest.azure.net",
	}
	switch s.options.Cloud {
	case ChinaCloud:
		suffixes = map[string]string{
			"acrLoginServer": "azurecr.cn", "sqlServerHostname": "database.chinacloudapi.cn", "keyVaultDns": "vault.azure.cn",
			"storage": "core.chinacloudapi.cn", "azureFrontDoorEndpointSuffix": "",
		}
	case USGovernmentCloud:
		suffixes = map[string]string{
			"acrLoginServer": "azurecr.us", "sqlServerHostname": "database.usgovcloudapi.net", "keyVaultDns": "vault.usgovcloudapi.net",
			"storage": "core.usgovcloudapi.net", "azureFrontDoorEndpointSuffix": "",
		}
	case PublicCloud:
	}
	name := s.options.Cloud
	setDefault(&name, PublicCloud)
	return map[string]any{
		"name": name, "portal": here, "authentication": auth, "graph": here, "graphAudience": here, "resourceManager": here, "gallery": here,
		"media": "https://rest.media.azure.net", "batch": "https://batch.core.windows.net/", "suffixes": suffixes,
		"activeDirectoryDataLake": "https://datalake.azure.net/", "sqlManagement": "https://management.core.windows.net:8443/",
		"vmImageAliasDoc": "https://raw.githubusercontent.com/Azure/azure-rest-api-specs/master/arm-compute/quickstart-templates/aliases.json",
	}
}
