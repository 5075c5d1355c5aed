(component
  ;; types are checked by the validator: a function of the wrong core type
  (core module $M (func (export "f") (param i32)))
  (core instance $m (instantiate $M))
  (func (export "f") (canon lift (core func $m "f"))))
