/** The same object with other answers to some calls. */
export function over<T extends object>(object: T, changes: Partial<T>): T {
  return new Proxy(object, {
    get(target, name): unknown {
      const own: unknown = Reflect.get(changes, name);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
