package request

import "encoding/json"

// node is a value of a document and its place. Nodes let rules look at a
// document of any shape: what is not there, or is of another type, is absent.
type node struct {
	pointer string
	value   any
	present bool
}

// at is the member that a chain of names leads to.
func (n node) at(names ...string) node {
	for _, name := range names {
		object, _ := n.value.(map[string]any)
		v, ok := object[name]
		n = node{child(n.pointer, name), v, ok}
	}
	return n
}

// elements are the elements of an array.
func (n node) elements() []node {
	array, _ := n.value.([]any)
	nodes := make([]node, len(array))
	for i, v := range array {
		nodes[i] = node{element(n.pointer, i), v, true}
	}
	return nodes
}

// members are the members of an object, in no order.
func (n node) members() map[string]node {
	object, _ := n.value.(map[string]any)
	nodes := make(map[string]node, len(object))
	for name := range object {
		nodes[name] = n.at(name)
	}
	return nodes
}

// text is the string that n holds.
func (n node) text() (string, bool) {
	s, ok := n.value.(string)
	return s, ok
}

// number is the whole number that n holds.
func (n node) number() (int64, bool) {
	number, ok := n.value.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := number.Int64()
	return i, err == nil
}

// is reports whether n holds the whole number.
func (n node) is(want int64) bool {
	number, ok := n.number()
	return ok && number == want
}

// isObject reports whether n is there and holds an object.
func (n node) isObject() bool {
	_, ok := n.value.(map[string]any)
	return ok
}
