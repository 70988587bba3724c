// A URL as it may be shown: everywhere a URL of a server is printed, logged or put into an error.

/** Every password of the URL becomes ***, also one with an "@" in it, and those among its parameters. */
export function withoutPassword(url: string): string {
  return url
    .replace(/^(\w+:\/\/[^:@/?#]*):.*@/, '$1:***@')
    .replaceAll(/([?&](?:password|sslpassword)=)[^&#]*/g, '$1***');
}
