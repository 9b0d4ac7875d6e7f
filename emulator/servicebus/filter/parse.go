package filter

import (
	"fmt"
	"strings"
)

// maxNesting bounds parentheses and NOTs within each other.
const maxNesting = 100

// parser is a recursive descent, one method a level of precedence.
type parser struct {
	tokens []token
	depth  int
}

func (p *parser) parse() (node, error) {
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != end {
		return nil, fmt.Errorf("%q at position %d is one too many", t.text, t.at)
	}
	return n, nil
}

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) next() token {
	t := p.tokens[0]
	if t.kind != end {
		p.tokens = p.tokens[1:]
	}
	return t
}

// accept takes the next token if it is that keyword or sign.
func (p *parser) accept(text string) bool {
	t := p.peek()
	if t.kind == word && strings.EqualFold(t.text, text) || t.kind == sign && t.text == text {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(text string) error {
	if !p.accept(text) {
		return fmt.Errorf("%q at position %d, want %s", p.peek().text, p.peek().at, text)
	}
	return nil
}

func (p *parser) or() (node, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxNesting {
		return nil, fmt.Errorf("the expression nests deeper than %d", maxNesting)
	}
	left, err := p.and()
	for err == nil && p.accept("OR") {
		var right node
		if right, err = p.and(); err == nil {
			left = or(left, right)
		}
	}
	return left, err
}

func (p *parser) and() (node, error) {
	left, err := p.not()
	for err == nil && p.accept("AND") {
		var right node
		if right, err = p.not(); err == nil {
			left = and(left, right)
		}
	}
	return left, err
}

func (p *parser) not() (node, error) {
	negate := false
	for p.accept("NOT") {
		negate = !negate
	}
	n, err := p.predicate()
	if err == nil && negate {
		n = not(n)
	}
	return n, err
}

func (p *parser) predicate() (node, error) {
	left, err := p.sum()
	if err != nil {
		return nil, err
	}
	for _, op := range []string{"=", "<>", "!=", "<=", ">=", "<", ">"} {
		if p.accept(op) {
			right, err := p.sum()
			if op == "!=" {
				op = "<>"
			}
			return comparison(op, left, right), err
		}
	}
	if p.accept("IS") {
		negate := p.accept("NOT")
		return negated(negate, isNull(left)), p.expect("NULL")
	}
	negate := p.accept("NOT")
	switch {
	case p.accept("IN"):
		list, err := p.list()
		return negated(negate, in(left, list)), err
	case p.accept("LIKE"):
		return p.like(left, negate)
	case negate:
		return nil, fmt.Errorf("%q at position %d, want IN or LIKE after NOT", p.peek().text, p.peek().at)
	}
	return left, nil
}

func negated(negate bool, n node) node {
	if negate {
		return not(n)
	}
	return n
}

func (p *parser) list() ([]node, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var list []node
	for {
		item, err := p.sum()
		if err != nil {
			return nil, err
		}
		list = append(list, item)
		if !p.accept(",") {
			return list, p.expect(")")
		}
	}
}

func (p *parser) like(left node, negate bool) (node, error) {
	pattern, err := p.sum()
	if err != nil {
		return nil, err
	}
	var escape node
	if p.accept("ESCAPE") {
		if escape, err = p.sum(); err != nil {
			return nil, err
		}
	}
	return negated(negate, like(left, pattern, escape)), nil
}

func (p *parser) sum() (node, error) {
	return p.binary("+-", func() (node, error) { return p.binary("*/%", p.operand) })
}

func (p *parser) binary(ops string, operand func() (node, error)) (node, error) {
	left, err := operand()
	for err == nil {
		t := p.peek()
		if t.kind != sign || len(t.text) != 1 || !strings.Contains(ops, t.text) {
			break
		}
		p.next()
		var right node
		if right, err = operand(); err == nil {
			left = arithmetic(t.text[0], left, right)
		}
	}
	return left, err
}

func (p *parser) operand() (node, error) {
	t := p.next()
	switch t.kind {
	case constant:
		return literal(t.value), nil
	case name:
		return userProperty(t.text), nil
	case sign:
		return p.signed(t)
	case word:
		return p.word(t)
	default:
		return nil, fmt.Errorf("the expression ends where a value must be")
	}
}

func (p *parser) signed(t token) (node, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxNesting {
		return nil, fmt.Errorf("the expression nests deeper than %d", maxNesting)
	}
	switch t.text {
	case "(":
		n, err := p.or()
		if err != nil {
			return nil, err
		}
		return n, p.expect(")")
	case "-", "+":
		n, err := p.operand()
		if err == nil && t.text == "-" {
			n = arithmetic('-', literal(int64(0)), n)
		}
		return n, err
	}
	return nil, fmt.Errorf("%q at position %d, want a value", t.text, t.at)
}

func (p *parser) word(t token) (node, error) {
	switch strings.ToUpper(t.text) {
	case "TRUE":
		return literal(true), nil
	case "FALSE":
		return literal(false), nil
	case "NULL":
		return literal(nil), nil
	case "EXISTS":
		return p.exists()
	case "AND", "OR", "NOT", "IN", "LIKE", "IS", "ESCAPE":
		return nil, fmt.Errorf("%q at position %d, want a value", t.text, t.at)
	}
	if !p.accept(".") {
		return userProperty(t.text), nil
	}
	property := p.next()
	if property.kind != word && property.kind != name {
		return nil, fmt.Errorf("%q at position %d, want a property's name", property.text, property.at)
	}
	switch strings.ToLower(t.text) {
	case "sys":
		if _, ok := systemProperties(property.text); !ok {
			return nil, fmt.Errorf("there is no system property %q", property.text)
		}
		return systemProperty(property.text), nil
	case "user":
		return userProperty(property.text), nil
	}
	return nil, fmt.Errorf("%q at position %d, want sys or user before the dot", t.text, t.at)
}

func (p *parser) exists() (node, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	n, err := p.operand()
	if err != nil {
		return nil, err
	}
	return not(isNull(n)), p.expect(")")
}
