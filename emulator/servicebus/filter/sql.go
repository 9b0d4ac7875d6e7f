package filter

import "goldmint/emulator/servicebus/amqp"

// Expression is a SQL filter: the condition of a WHERE clause over the message's
// properties. It knows =, <>, !=, <, >, <=, >=, + - * / %, LIKE with ESCAPE, IN,
// IS NULL, EXISTS, AND, OR, NOT and parentheses. sys.Name is a system property,
// Name, user.Name, [Name] or "Name" an application property. A property that is
// not there makes what depends on it unknown, which is not true.
type Expression struct{ root node }

// SQL parses a filter expression.
func SQL(expression string) (*Expression, error) {
	tokens, err := scan(expression)
	if err != nil {
		return nil, err
	}
	p := parser{tokens: tokens}
	root, err := p.parse()
	if err != nil {
		return nil, err
	}
	return &Expression{root}, nil
}

// Match reports whether the expression is true for the message.
func (e *Expression) Match(m *amqp.Message) bool { return e.root(m) == any(true) }

// node computes a part of an expression: nil (unknown), bool, int64, float64 or
// string.
type node func(*amqp.Message) any

func literal(v any) node { return func(*amqp.Message) any { return v } }

func systemProperty(name string) node {
	return func(m *amqp.Message) any { return system(m, name) }
}

func userProperty(name string) node {
	return func(m *amqp.Message) any {
		v, _ := m.Application.Get(name)
		return scalar(v)
	}
}

func and(a, b node) node {
	return func(m *amqp.Message) any {
		x, y := truth(a(m)), truth(b(m))
		switch {
		case x == any(false) || y == any(false):
			return false
		case x == nil || y == nil:
			return nil
		}
		return true
	}
}

func or(a, b node) node {
	return func(m *amqp.Message) any {
		x, y := truth(a(m)), truth(b(m))
		switch {
		case x == any(true) || y == any(true):
			return true
		case x == nil || y == nil:
			return nil
		}
		return false
	}
}

func not(a node) node {
	return func(m *amqp.Message) any {
		if b, ok := a(m).(bool); ok {
			return !b
		}
		return nil
	}
}

// truth makes what is no boolean unknown.
func truth(v any) any {
	if b, ok := v.(bool); ok {
		return b
	}
	return nil
}

func comparison(op string, a, b node) node {
	return func(m *amqp.Message) any {
		x, y := a(m), b(m)
		if x == nil || y == nil {
			return nil
		}
		order, ok := compare(x, y)
		if !ok { // of different types: never equal, and in no order
			if op == "<>" {
				return true
			}
			return false
		}
		switch op {
		case "=":
			return order == 0
		case "<>":
			return order != 0
		case "<":
			return order < 0
		case "<=":
			return order <= 0
		case ">":
			return order > 0
		}
		return order >= 0
	}
}

func isNull(a node) node {
	return func(m *amqp.Message) any { return a(m) == nil }
}

func in(a node, list []node) node {
	return func(m *amqp.Message) any {
		x := a(m)
		if x == nil {
			return nil
		}
		var result any = false
		for _, item := range list {
			y := item(m)
			if y == nil {
				result = nil
				continue
			}
			if order, ok := compare(x, y); ok && order == 0 {
				return true
			}
		}
		return result
	}
}

func arithmetic(op byte, a, b node) node {
	return func(m *amqp.Message) any {
		v1, v2 := a(m), b(m)
		if s1, ok := v1.(string); ok && op == '+' {
			if s2, ok := v2.(string); ok {
				return s1 + s2
			}
		}
		i1, ok1 := v1.(int64)
		i2, ok2 := v2.(int64)
		if ok1 && ok2 {
			return integers(op, i1, i2)
		}
		x, ok1 := number(v1)
		y, ok2 := number(v2)
		if !ok1 || !ok2 {
			return nil
		}
		switch op {
		case '+':
			return x + y
		case '-':
			return x - y
		case '*':
			return x * y
		case '/':
			return x / y
		}
		return nil
	}
}

func integers(op byte, x, y int64) any {
	switch {
	case op == '+':
		return x + y
	case op == '-':
		return x - y
	case op == '*':
		return x * y
	case y == 0:
		return nil
	case op == '/':
		return x / y
	}
	return x % y
}
