/** Look "langsmith" up from here; everything else from where it is asked for. */
export function resolve(specifier, context, next) {
  const isSdk = specifier === "langsmith" || specifier.startsWith("langsmith/");
  return next(specifier, isSdk ? { ...context, parentURL: import.meta.url } : context);
}
