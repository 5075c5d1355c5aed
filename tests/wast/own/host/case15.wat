(component
  (import "host" (instance $host (export "simple-module" (core module (export "nothing" (func))))))
  (core instance $s (instantiate (module $host "simple-module")))
  (func (export "f") (canon lift (core func $s "nothing"))))
