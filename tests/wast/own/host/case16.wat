(component (import "host" (instance (export "no-module" (core module)))))
