package request_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"goldmint/internal/request"
)

// good is a request that every test of a mistake starts from.
const good = `{
  "id": "web-1",
  "subscriptionId": "5f2b1c9e-7d34-4e0a-9c41-2a6d8e1b7f03",
  "resourceGroup": "rg",
  "name": "web",
  "ifExists": "fail",
  "timeout": "PT2H",
  "metadata": {"commit": "1f6c0ad"},
  "image": {
    "location": "westeurope",
    "tags": {"team": "web"},
    "properties": {
      "storageProfile": {
        "osDisk": {
          "osType": "Linux",
          "osState": "Generalized",
          "managedDisk": {"id": "/subscriptions/5f2b1c9e-7d34-4e0a-9c41-2a6d8e1b7f03/resourceGroups/rg/providers/Microsoft.Compute/disks/os"}
        },
        "dataDisks": [
          {"lun": 1, "blobUri": "https://account.blob.core.windows.net/vhds/data.vhd"}
        ]
      }
    }
  }
}`

// The whole body is wrong: one problem, and its reason.
func TestRefusesBodies(t *testing.T) {
	for name, test := range map[string]struct{ body, want string }{
		"nothing":          {"", "EmptyBody: the body is empty; send a build request as JSON"},
		"blanks":           {" \r\n\t", "EmptyBody: the body is empty; send a build request as JSON"},
		"prose":            {"please build\nan image", "InvalidJSON: the body is not JSON: line 1, column 1: invalid character 'p' looking for beginning of value; send one JSON object that starts with {"},
		"XML":              {"<request/>", "InvalidJSON: the body is not JSON: line 1, column 1: invalid character '<' looking for beginning of value; send one JSON object that starts with {"},
		"broken off":       {good[:len(good)-1], "InvalidJSON: the body is not JSON: line 24, column 4: unexpected end of JSON input"},
		"a comma too many": {"{\n \"id\": \"é\",\n}", "InvalidJSON: the body is not JSON: line 3, column 1: invalid character '}' looking for beginning of object key string"},
		"two objects":      {"{} {}", "InvalidJSON: the body is not JSON: line 1, column 4: invalid character '{' after top-level value"},
		"a list":           {"[]", "InvalidJSON: the body is a JSON array; send one JSON object"},
		"null":             {"null", "InvalidJSON: the body is a JSON null; send one JSON object"},
		"a number":         {"1e999", "InvalidJSON: the body is a JSON number; send one JSON object"},
		"encoded twice":    {`"{\"name\":\"web\"}"`, "InvalidJSON: the body is a JSON string that holds JSON: it was encoded twice; send the object itself"},
		"Latin-1":          {"{\n\"name\": \"caf\xe9\"}", "InvalidEncoding: line 2, column 13: byte 0xE9 is not UTF-8 (in Latin-1 it is 'é'); send the body as UTF-8"},
		"UTF-8 mark":       {"\xef\xbb\xbf{}", "InvalidEncoding: the body starts with a UTF-8 byte order mark; send UTF-8 without one"},
		"UTF-16 mark":      {"\xff\xfe{\x00}\x00", "InvalidEncoding: the body starts with a UTF-16 byte order mark; send UTF-8 without one"},
		"UTF-16":           {"{\x00}\x00", "InvalidEncoding: the body holds zero bytes, as UTF-16 text does; send it as UTF-8"},
		"200 KB":           {strings.Repeat(" ", 200<<10), "RequestTooLarge: the body has 204800 bytes; at most 65536 are allowed"},
		"deep":             {strings.Repeat(`{"a":`, 10_000), "InvalidJSON: the body is not JSON: line 1, column 50000: unexpected end of JSON input"},
		"deep and closed":  {strings.Repeat(`{"a":`, 9_000) + "1" + strings.Repeat("}", 9_000), "InvalidJSON: the body is nested deeper than 16 levels"},
		"many values":      {`{"a":[` + strings.Repeat("1,", 30_000) + `1]}`, "InvalidJSON: the body holds more than 6000 values"},
		"long name":        {`{"` + strings.Repeat("a", 30_000) + `":[1]}`, `InvalidJSON: the field "` + strings.Repeat("a", 80) + `…" holds an object or an array: no such field has a name longer than 64 bytes`},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, test.body, test.want) })
	}
}

// One thing is wrong: exact words. from is replaced in the good request.
func TestRefusesMistakes(t *testing.T) {
	const (
		disk  = "image.properties.storageProfile.osDisk"
		data  = "image.properties.storageProfile.dataDisks[0]"
		image = "image.properties"
	)
	id := resourceID("disks", "os")
	blob := "https://account.blob.core.windows.net/vhds/data.vhd"
	for name, test := range map[string]struct{ from, to, want string }{
		"id":                 {`"web-1"`, `"web/1"`, `id: must be 1 to 48 letters, digits, '.', '_' or '-'; it is "web/1"`},
		"id is a number":     {`"web-1"`, `7`, `id: must be a string, not number; put it in quotes`},
		"subscription":       {`"subscriptionId": "5f2b1c9e-7d34-4e0a-9c41-2a6d8e1b7f03"`, `"subscriptionId": "dev"`, `subscriptionId: must be a subscription's GUID, such as 5f2b1c9e-7d34-4e0a-9c41-2a6d8e1b7f03; it is "dev"`},
		"placeholder":        {`"subscriptionId": "5f2b1c9e-7d34-4e0a-9c41-2a6d8e1b7f03"`, `"subscriptionId": "{subscription-id}"`, `subscriptionId: still holds the placeholder {subscription-id}; fill it in`},
		"placeholder in id":  {`/disks/os`, `/disks/{disk-name}`, disk + `.managedDisk.id: still holds the placeholder {disk-name}; fill it in`},
		"shell placeholder":  {`"name": "web"`, `"name": "web-${VERSION}"`, `name: still holds the placeholder ${VERSION}; fill it in`},
		"angle placeholder":  {`"name": "web"`, `"name": "<your name>"`, `name: still holds the placeholder <your name>; fill it in`},
		"group":              {`"resourceGroup": "rg"`, `"resourceGroup": "rg."`, `resourceGroup: must be a resource group's name: 1 to 90 letters, digits, '_', '-', '.', '(' or ')', not ending in '.'; it is "rg."`},
		"group too long":     {`"resourceGroup": "rg"`, `"resourceGroup": "` + strings.Repeat("é", 91) + `"`, `resourceGroup: has 91 characters; at most 90 are allowed`},
		"group climbs":       {`"resourceGroup": "rg"`, `"resourceGroup": "a..b"`, `resourceGroup: may not hold ".."`},
		"path in a name":     {`"name": "web"`, `"name": "../virtualMachines/x"`, `name: must be an image's name: 1 to 80 letters, digits, '_', '.' or '-', starting with a letter or digit and ending with a letter, digit or '_'; it is "../virtualMachines/x"`},
		"dots":               {`"name": "web"`, `"name": ".."`, `name: must be an image's name: 1 to 80 letters, digits, '_', '.' or '-', starting with a letter or digit and ending with a letter, digit or '_'; it is ".."`},
		"dots inside":        {`"name": "web"`, `"name": "a..b"`, `name: may not hold ".."`},
		"encoded name":       {`"name": "web"`, `"name": "web%2Fx"`, `name: must be an image's name: 1 to 80 letters, digits, '_', '.' or '-', starting with a letter or digit and ending with a letter, digit or '_'; it is "web%2Fx"`},
		"line break in name": {`"name": "web"`, `"name": "web\n"`, `name: must be an image's name: 1 to 80 letters, digits, '_', '.' or '-', starting with a letter or digit and ending with a letter, digit or '_'; it is "web\n"`},
		"no name":            {`"name": "web",`, ``, `name: is missing`},
		"no group":           {`"resourceGroup": "rg",`, ``, `resourceGroup: is missing: the resource group in which the image is created`},
		"no location":        {`"location": "westeurope",`, ``, `image.location: is missing: the region of the image, such as westeurope`},
		"location":           {`"westeurope"`, `"west/europe"`, `image.location: must be a region such as westeurope or "West Europe"; it is "west/europe"`},
		"null in a list":     {`"dataDisks": [`, `"dataDisks": [null, `, data + `: must be an object, not null; leave the field out instead`},
		"ifExists":           {`"ifExists": "fail"`, `"ifExists": "overwrite"`, `ifExists: must be "fail", "reuse" or "replace", not "overwrite"`},
		"ifExists near":      {`"ifExists": "fail"`, `"ifExists": "Replcae"`, `ifExists: must be "fail", "reuse" or "replace", not "Replcae"; did you mean "replace"?`},
		"ifExists is true":   {`"ifExists": "fail"`, `"ifExists": true`, `ifExists: must be "fail", "reuse" or "replace", not true`},
		"timeout":            {`"PT2H"`, `"2h"`, `timeout: must be an ISO 8601 duration from PT5M to PT24H, such as PT45M or PT2H30M; it is "2h"`},
		"timeout empty":      {`"PT2H"`, `"PT"`, `timeout: "PT" is not an ISO 8601 duration such as PT45M, PT2H30M or P7D`},
		"timeout short":      {`"PT2H"`, `"PT4M59S"`, `timeout: must be from PT5M to PT24H, not "PT4M59S"`},
		"timeout long":       {`"PT2H"`, `"P1DT1S"`, `timeout: must be from PT5M to PT24H, not "P1DT1S"`},

		"unknown":           {`"id": "web-1"`, `"colour": "gold"`, `colour: is unknown; allowed here are galleryImageName, galleryImageVersion, galleryName, id, ifExists, image, metadata, name, resourceGroup, subscriptionId and timeout`},
		"misspelt":          {`"timeout"`, `"timeOut"`, `timeOut: is unknown; did you mean "timeout"?`},
		"misplaced":         {`"id": "web-1"`, `"location": "westeurope"`, `location: has no place here; it belongs at galleryImageVersion.location or image.location`},
		"misplaced deep":    {`"lun": 1,`, `"lun": 1, "osType": "Linux",`, data + `.osType: has no place here; it belongs at image.properties.storageProfile.osDisk.osType`},
		"id in a disk":      {`"lun": 1,`, `"lun": 1, "id": "x",`, data + `.id: is unknown; allowed here are blobUri, caching, diskEncryptionSet, diskSizeGB, lun, managedDisk, snapshot and storageAccountType`},
		"unknown in disk":   {`"lun": 1,`, `"lun": 1, "size": 1,`, data + `.size: is unknown; allowed here are blobUri, caching, diskEncryptionSet, diskSizeGB, lun, managedDisk, snapshot and storageAccountType`},
		"odd name":          {`"id": "web-1"`, `"a/b~c d": 1`, `["a/b~c d"]: is unknown; allowed here are galleryImageName, galleryImageVersion, galleryName, id, ifExists, image, metadata, name, resourceGroup, subscriptionId and timeout`},
		"twice":             {`"id": "web-1"`, `"id": "web-1", "id": "web-2"`, `id: appears twice; keep one of them`},
		"system data":       {`"location": "westeurope",`, `"location": "westeurope", "systemData": {},`, `image.systemData: is read-only: Azure sets it; leave it out`},
		"fraction":          {`"lun": 1`, `"lun": 1.0`, data + `.lun: must be a whole number in plain digits, such as 64`},
		"huge exponent":     {`"lun": 1`, `"lun": 1e999999999`, data + `.lun: must be a whole number in plain digits, such as 64`},
		"tiny exponent":     {`"lun": 1`, `"lun": 1e-999999999`, data + `.lun: must be a whole number in plain digits, such as 64`},
		"many digits":       {`"lun": 1`, `"lun": ` + strings.Repeat("9", 5000), data + `.lun: must be a whole number in plain digits, such as 64`},
		"number for string": {`"westeurope"`, `1e999`, `image.location: must be a string, not number; put it in quotes`},
		"half a character":  {`"1f6c0ad"`, `"\uD83D"`, `metadata.commit: holds half a character: a \ud800 to \udfff escape without its partner`},

		"two sources": {`"storageProfile": {`, `"sourceVirtualMachine": {"id": "` + resourceID("virtualMachines", "web") + `"}, "storageProfile": {`, image + `: names two sources: give sourceVirtualMachine or storageProfile with osDisk, not both (beside sourceVirtualMachine, storageProfile may hold zoneResilient alone)`},
		"disk with two sources": {
			`"osType": "Linux",`, `"osType": "Linux", "blobUri": "` + blob + `",`, disk + `: names 2 sources, managedDisk and blobUri: keep one`,
		},
		"disk without source": {`"lun": 1, "blobUri": "` + blob + `"`, `"lun": 1`, data + `: names no source: give one of managedDisk, snapshot or blobUri`},
		"no osType":           {`"osType": "Linux",`, ``, disk + `.osType: is missing; it must be "Windows" or "Linux"`},
		"no osState":          {`"osState": "Generalized",`, ``, disk + `.osState: is missing; it must be "Generalized" or "Specialized"`},
		"osType":              {`"osType": "Linux"`, `"osType": "linux"`, disk + `.osType: must be "Windows" or "Linux", not "linux"; did you mean "Linux"?`},
		"ultra os disk":       {`"osType": "Linux",`, `"osType": "Linux", "storageAccountType": "UltraSSD_LRS",`, disk + `.storageAccountType: UltraSSD_LRS is for data disks only, not for the operating system's disk`},
		"no lun":              {`"lun": 1, `, ``, data + `.lun: is missing; it must be a number from 0 to 63 of the disk's own`},
		"65 data disks":       {`{"lun": 1, "blobUri": "` + blob + `"}`, manyDisks(65), "2 problems\n- image.properties.storageProfile.dataDisks: has 65 elements; at most 64 are allowed\n- image.properties.storageProfile.dataDisks[64].lun: must be from 0 to 63; it is 64"},
		"lun high":            {`"lun": 1`, `"lun": 64`, data + `.lun: must be from 0 to 63; it is 64`},
		"lun low":             {`"lun": 1`, `"lun": -1`, data + `.lun: must be from 0 to 63; it is -1`},
		"lun as text":         {`"lun": 1`, `"lun": "1"`, data + `.lun: must be a whole number, not string`},
		"lun twice":           {`{"lun": 1,`, `{"lun": 1, "blobUri": "` + blob + `"}, {"lun": 1,`, `image.properties.storageProfile.dataDisks[1].lun: is 1, which image.properties.storageProfile.dataDisks[0] has already; each data disk needs a lun of its own`},
		"disk size":           {`"lun": 1`, `"lun": 1, "diskSizeGB": 1024`, data + `.diskSizeGB: must be from 1 to 1023 (leave it out to keep the source's size, which may be larger); it is 1024`},
		"disk size zero":      {`"lun": 1`, `"lun": 1, "diskSizeGB": 0`, data + `.diskSizeGB: must be from 1 to 1023 (leave it out to keep the source's size, which may be larger); it is 0`},
		"data disk is text":   {`{"lun": 1, "blobUri": "` + blob + `"}`, `"data"`, data + `: must be an object, not string`},
		"edge zone":           {`"location": "westeurope",`, `"location": "westeurope", "extendedLocation": {"type": "EdgeZone"},`, `image.extendedLocation.name: is missing`},

		"id of another type":  {id, resourceID("snapshots", "os"), disk + `.managedDisk.id: must be the ID of Microsoft.Compute/disks, not of Microsoft.Compute/snapshots`},
		"id with a query":     {id, id + "?x=1", disk + `.managedDisk.id: names the resource "os?…", which Azure does not allow`},
		"id climbs":           {id, strings.Replace(id, "rg", "..", 1), disk + `.managedDisk.id: names the resource group "..", which Azure does not allow`},
		"id is a name":        {id, "os", disk + `.managedDisk.id: must be a resource ID /subscriptions/{guid}/resourceGroups/{name}/providers/Microsoft.Compute/disks/{name}, not "os"`},
		"id is a URL":         {id, "https://management.azure.com" + id, disk + `.managedDisk.id: must be a resource ID /subscriptions/{guid}/resourceGroups/{name}/providers/Microsoft.Compute/disks/{name}, not "https://management.azure.com/subscriptions/5f2b1c9e-7d34-4e0a-9c41-2a6d8e1b7f03/…"`},
		"id with two slashes": {id, "/" + id, disk + `.managedDisk.id: must be a resource ID /subscriptions/{guid}/resourceGroups/{name}/providers/Microsoft.Compute/disks/{name}, not "//subscriptions/5f2b1c9e-7d34-4e0a-9c41-2a6d8e1b7f03/resourceGroups/rg/providers…"`},
		"id of a child":       {id, id + "/children/x", disk + `.managedDisk.id: must be a resource ID /subscriptions/{guid}/resourceGroups/{name}/providers/Microsoft.Compute/disks/{name}, not "` + id[:80] + `…"`},
		"id without GUID":     {id, strings.Replace(id, subscription, "dev", 1), disk + `.managedDisk.id: names the subscription "dev", which is no GUID`},

		"blob over http":       {blob, "http://account.blob.core.windows.net/vhds/data.vhd", data + `.blobUri: must be the https URL of a blob, such as https://account.blob.core.windows.net/container/disk.vhd`},
		"blob with a SAS":      {blob, blob + "?sv=2022-11-02&sig=SECRETSECRETSECRET", data + `.blobUri: may not hold a query or SAS token: Azure refuses it; give the plain URL and let Azure read the blob with its own rights`},
		"blob elsewhere":       {blob, "https://evil.example/vhds/data.vhd", data + `.blobUri: must point at a blob endpoint of Azure, such as https://account.blob.core.windows.net/container/disk.vhd; "evil.example" is none`},
		"blob host prefix":     {blob, "https://account.blob.core.windows.net.evil.example/d.vhd", data + `.blobUri: must point at a blob endpoint of Azure, such as https://account.blob.core.windows.net/container/disk.vhd; "account.blob.core.windows.net.evil.example" is none`},
		"blob with a port":     {blob, "https://account.blob.core.windows.net:8443/d.vhd", data + `.blobUri: may not name a port`},
		"blob with a user":     {blob, "https://me:SECRET@account.blob.core.windows.net/d.vhd", data + `.blobUri: may not hold a user name or password`},
		"blob with a fragment": {blob, blob + "#x", data + `.blobUri: may not hold a fragment (#…)`},
		"blob climbs":          {blob, "https://account.blob.core.windows.net/a/%2e%2e/d.vhd", data + `.blobUri: must name a blob after the host, such as https://account.blob.core.windows.net/container/disk.vhd`},
		"blob without a path":  {blob, "https://account.blob.core.windows.net/", data + `.blobUri: must name a blob after the host, such as https://account.blob.core.windows.net/container/disk.vhd`},
		"blob with a space":    {blob, "https://account.blob.core.windows.net/a b", data + `.blobUri: holds a character that a URL must escape (a space, a quote, a backslash, or a letter beyond ASCII)`},
		"blob as a path":       {blob, "//account.blob.core.windows.net/d.vhd", data + `.blobUri: must be the https URL of a blob, such as https://account.blob.core.windows.net/container/disk.vhd`},

		"own tag":             {`"team"`, `"Goldmint-Build-Id"`, `image.tags.Goldmint-Build-Id: tags that start with goldmint- are Goldmint's own; choose another name`},
		"Azure's tag":         {`"team"`, `"AzureTeam"`, `image.tags.AzureTeam: Azure reserves tags that start with azure; choose another name`},
		"tag with a slash":    {`"team"`, `"a/b"`, `image.tags["a/b"]: a tag's name may hold none of < > % & \ ? /`},
		"tag without a name":  {`"team"`, `""`, `image.tags[""]: a tag needs a name`},
		"tag name too long":   {`"team"`, `"` + strings.Repeat("t", 513) + `"`, `image.tags["` + strings.Repeat("t", 80) + `…"]: a tag's name may have at most 512 characters`},
		"tag value too long":  {`"team": "web"`, `"team": "` + strings.Repeat("t", 257) + `"`, `image.tags.team: has 257 characters; at most 256 are allowed`},
		"tag with a bell":     {`"team": "web"`, `"team": "\u0007"`, `image.tags.team: may not hold control characters or line breaks`},
		"tag name with a tab": {`"team": "web"`, `"te\tam": "web"`, `image.tags["te\tam"]: a tag's name may not hold control characters`},
		"tag in two cases":    {`"team": "web"`, `"team": "web", "Team": "web"`, `image.tags.team: is the same tag as "Team": Azure compares names without case`},
		"tag is a number":     {`"team": "web"`, `"team": 1`, `image.tags.team: must be a string, not number; put it in quotes`},
		"SAS in a tag":        {`"team": "web"`, `"team": "https://a/b?sv=1&sig=0123456789abcdef%3D"`, `image.tags.team: holds a SAS token: tags and metadata are no place for secrets, everyone can read them`},
		"46 tags":             {`"team": "web"`, manyTags(46), `image.tags: has 46 tags; at most 45 are allowed`},

		"metadata large":       {`"commit": "1f6c0ad"`, `"commit": "` + strings.Repeat("x", 8187) + `"`, `metadata: has 8193 bytes of keys and values; at most 8192 are allowed`},
		"metadata is nested":   {`"commit": "1f6c0ad"`, `"commit": {"id": "x"}`, `metadata.commit: must be a string, not object`},
		"metadata line break":  {`"1f6c0ad"`, `"a\nb"`, `metadata.commit: may not hold control characters or line breaks`},
		"metadata name break":  {`"commit"`, `"a\u2028b"`, `metadata["a\u2028b"]: a metadata name may not hold control characters`},
		"metadata has no name": {`"commit"`, `""`, `metadata[""]: a metadata entry needs a name`},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, replace(t, test.from, test.to), "InvalidRequest: "+test.want)
		})
	}
}

// replace puts to in from's place in the good request.
func replace(t *testing.T, from, to string) string {
	t.Helper()
	if strings.Count(good, from) != 1 {
		t.Fatalf("%q is %d times in the good request, want once", from, strings.Count(good, from))
	}
	return strings.Replace(good, from, to, 1)
}

// Something must be named as the source, or nothing can be made.
func TestRefusesNoSource(t *testing.T) {
	vm := `"sourceVirtualMachine": {"id": "` + resourceID("virtualMachines", "web") + `"}`
	for name, test := range map[string]struct{ properties, want string }{
		"nothing":       {`{}`, `: names no source: give sourceVirtualMachine, or storageProfile with osDisk`},
		"generation":    {`{"hyperVGeneration": "V2"}`, `: names no source: give sourceVirtualMachine, or storageProfile with osDisk`},
		"zoneResilient": {`{"storageProfile": {"zoneResilient": true}}`, `.storageProfile.osDisk: is missing: an image is made from an operating system disk or from a sourceVirtualMachine`},
		"data disk": {
			`{"storageProfile": {"dataDisks": [{"lun": 0, "snapshot": {"id": "` + resourceID("snapshots", "d") + `"}}]}}`,
			`.storageProfile.osDisk: is missing: an image is made from an operating system disk or from a sourceVirtualMachine`,
		},
		"machine and data disks": {
			`{` + vm + `, "storageProfile": {"dataDisks": []}}`,
			`: names two sources: give sourceVirtualMachine or storageProfile with osDisk, not both (beside sourceVirtualMachine, storageProfile may hold zoneResilient alone)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"resourceGroup": "rg", "name": "web", "image": {"location": "westeurope", "properties": ` + test.properties + `}}`
			wantError(t, body, "InvalidRequest: image.properties"+test.want)
		})
	}
}

func manyTags(n int) string {
	var tags []string
	for i := range n {
		tags = append(tags, `"tag`+strings.Repeat("x", i)+`": ""`)
	}
	return strings.Join(tags, ",")
}

func manyDisks(n int) string {
	var disks []string
	for lun := range n {
		disks = append(disks, fmt.Sprintf(`{"lun": %d, "blobUri": "https://account.blob.core.windows.net/d.vhd"}`, lun))
	}
	return strings.Join(disks, ",")
}

func wantError(t *testing.T, body, want string) {
	t.Helper()
	_, err := request.Decode([]byte(body))
	if err == nil {
		t.Fatalf("accepted, want %s", want)
	}
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	if strings.Contains(err.Error(), "SECRET") {
		t.Error("the error repeats a secret")
	}
	var invalid *request.Invalid
	if !errors.As(err, &invalid) || len(invalid.Digest) != 64 {
		t.Errorf("error is %#v, want an *Invalid with the body's digest", err)
	}
}

// All problems come at once, in the order of the body, with their places.
func TestAllProblemsAtOnce(t *testing.T) {
	body := `{
  "id": "web-1",
  "nam": "web",
  "resourceGroup": "{group}",
  "image": {
    "location": "westeurope",
    "properties": {"storageProfile": {
      "osDisk": {"osType": "linux", "blobUri": "https://account.blob.core.windows.net/d?sig=SECRET"},
      "dataDisks": [{"lun": 99}]
    }}
  }
}`
	_, err := request.Decode([]byte(body))
	want := `InvalidRequest: 8 problems
- name: is missing
- nam: is unknown; did you mean "name"?
- resourceGroup: still holds the placeholder {group}; fill it in
- image.properties.storageProfile.osDisk.osState: is missing; it must be "Generalized" or "Specialized"
- image.properties.storageProfile.osDisk.osType: must be "Windows" or "Linux", not "linux"; did you mean "Linux"?
- image.properties.storageProfile.osDisk.blobUri: may not hold a query or SAS token: Azure refuses it; give the plain URL and let Azure read the blob with its own rights
- image.properties.storageProfile.dataDisks[0]: names no source: give one of managedDisk, snapshot or blobUri
- image.properties.storageProfile.dataDisks[0].lun: must be from 0 to 63; it is 99`
	if err == nil || err.Error() != want {
		t.Fatalf("got  %v\nwant %s", err, want)
	}
	var invalid *request.Invalid
	if !errors.As(err, &invalid) {
		t.Fatalf("error is %T", err)
	}
	if invalid.ID != "web-1" {
		t.Errorf("build id %q, want that of the body", invalid.ID)
	}
	last := invalid.Problems[len(invalid.Problems)-1]
	if last.Pointer != "/image/properties/storageProfile/dataDisks/0/lun" || last.Line != 9 || last.Column != 22 {
		t.Errorf("last problem is at %s, line %d, column %d", last.Pointer, last.Line, last.Column)
	}
}

// A thousand mistakes make a short report.
func TestProblemsAreBounded(t *testing.T) {
	_, err := request.Decode([]byte(`{"image":[],` + manyTags(300) + `}`))
	var invalid *request.Invalid
	if !errors.As(err, &invalid) {
		t.Fatalf("error is %v", err)
	}
	if n := len(invalid.Problems); n != 51 || invalid.Problems[50].Message != "and 253 problems more" {
		t.Errorf("%d problems, the last %q", n, invalid.Problems[n-1])
	}
}
