package command

// Library is a library of functions.
type Library struct {
	Name, Engine string
	Functions    []Function
	Code         string // with WithCode
}

// Function is a function of a library.
type Function struct {
	Name, Description string   // Description is "" where there is none
	Flags             []string // such as no-writes
}

func libraries(c *Call, _ *packer) ([]Library, error) {
	return tree(c, func(r Reply) ([]Library, error) { return each(r, library) })
}

func library(r Reply) (l Library, err error) {
	fields, err := r.Map()
	if err != nil {
		return l, err
	}
	if l.Name, err = fields["library_name"].Text(); err != nil {
		return l, err
	}
	if l.Engine, err = fields["engine"].Text(); err != nil {
		return l, err
	}
	if code, ok := fields["library_code"]; ok {
		if l.Code, err = code.Text(); err != nil {
			return l, err
		}
	}
	l.Functions, err = each(fields["functions"], function)
	return l, err
}

func function(r Reply) (f Function, err error) {
	fields, err := r.Map()
	if err != nil {
		return f, err
	}
	if f.Name, err = fields["name"].Text(); err != nil {
		return f, err
	}
	if d := fields["description"]; !d.IsNil() {
		if f.Description, err = d.Text(); err != nil {
			return f, err
		}
	}
	f.Flags, err = fields["flags"].Strings()
	return f, err
}
