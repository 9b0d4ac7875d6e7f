package request

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
)

// dataContract starts a string that .NET's DataContractSerializer wrote as binary XML: an element "string" of its namespace.
// Azure Pipelines' PublishToAzureServiceBus task does so unless useDataContractSerializer is false.
var dataContract = []byte("@\x06string\x083http://schemas.microsoft.com/2003/10/Serialization/")

// Binary XML's text records that end their element, by the size of their length.
const (
	chars8  = 0x99
	chars16 = 0x9B
	chars32 = 0x9D
)

// unwrap is the text in a body that .NET's serializer wrapped; any other body is as it was.
func unwrap(body []byte) ([]byte, *Invalid) {
	rest, wrapped := bytes.CutPrefix(body, dataContract)
	if !wrapped {
		return body, nil
	}
	var text []byte
	for len(rest) > 0 {
		length, size := 0, 0
		switch rest[0] {
		case chars8, chars8 - 1:
			size = 1
		case chars16, chars16 - 1:
			size = 2
		case chars32, chars32 - 1:
			size = 4
		case 0x01: // the element ends
			return text, nil
		}
		if size == 0 || len(rest) < 1+size {
			return nil, badWrapping()
		}
		var number [4]byte
		copy(number[:], rest[1:1+size])
		length = int(binary.LittleEndian.Uint32(number[:]))
		if len(rest)-1-size < length {
			return nil, badWrapping()
		}
		text = append(text, rest[1+size:1+size+length]...)
		if rest[0]%2 == 1 { // the record ends its element
			return text, nil
		}
		rest = rest[1+size+length:]
	}
	return nil, badWrapping()
}

func badWrapping() *Invalid {
	return refuse(InvalidEncoding, "the body is binary XML of .NET's DataContractSerializer and broken off; send plain JSON"+
		" (useDataContractSerializer: false in Azure Pipelines' PublishToAzureServiceBus)")
}

// wrapping names what a body that is no JSON was wrapped in, "" where nothing is recognized.
func wrapping(body []byte) string {
	text := bytes.TrimSpace(body)
	switch {
	case bytes.HasPrefix(text, []byte("<string")) || bytes.HasPrefix(text, []byte("<?xml")) && bytes.Contains(text, []byte("<string")):
		return "the body is XML that holds a string, as .NET's serializers write it; send the JSON itself, as bytes"
	case bytes.HasPrefix(text, []byte("eyJ")) || bytes.HasPrefix(text, []byte("ew")):
		decoded, err := base64.StdEncoding.DecodeString(string(text))
		if err == nil && bytes.HasPrefix(bytes.TrimSpace(decoded), []byte("{")) {
			return "the body is base64 of JSON; send the JSON itself"
		}
	case bytes.HasPrefix(text, []byte("%7B")):
		return "the body is JSON that was escaped for a URL; send the JSON itself"
	}
	return ""
}
