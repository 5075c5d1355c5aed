(component (import "host" (instance (export "missing" (type (sub resource))))))
