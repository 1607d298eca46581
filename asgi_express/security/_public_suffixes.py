"""Domains under which anybody can register a name, so that a wildcard there trusts strangers.

This is not the public suffix list, which has 10,000 lines and changes weekly, but the part of it where
people run web applications, and the rules that cover most of the rest. What is missing is not noticed.
"""

from __future__ import annotations

__all__ = ["is_public_suffix"]

# fmt: off
_SHARED_HOSTS = frozenset(
    (
        "amplifyapp.com", "appspot.com", "azurecontainerapps.io", "azureedge.net", "azurefd.net",
        "azurestaticapps.net", "azurewebsites.net", "bitbucket.io", "blogspot.com", "cloudapp.net",
        "cloudfront.net", "codesandbox.io", "csb.app", "ddns.net", "deno.dev", "digitaloceanspaces.com",
        "duckdns.org", "dyndns.org", "eu.org", "firebaseapp.com", "fly.dev", "framer.app", "framer.website",
        "gitbook.io", "github.dev", "github.io", "githubpreview.dev", "gitlab.io", "gitpod.io", "glitch.me",
        "googleusercontent.com", "hasura.app", "herokuapp.com", "hf.space", "hosted.app", "loca.lt",
        "myshopify.com", "neocities.org", "netlify.app", "ngrok-free.app", "ngrok-free.dev", "ngrok.app",
        "ngrok.dev", "ngrok.io", "nip.io", "no-ip.org", "now.sh", "ondigitalocean.app", "onrender.com",
        "pages.dev", "pythonanywhere.com", "r2.dev", "railway.app", "readthedocs.io", "repl.co", "replit.app",
        "replit.dev", "run.app", "sslip.io", "stackblitz.io", "streamlit.app", "streamlitapp.com",
        "supabase.co", "surge.sh", "translate.goog", "trycloudflare.com", "ts.net", "vercel.app", "vercel.dev",
        "web.app", "webcontainer.io", "webflow.io", "weebly.com", "wixsite.com", "wordpress.com", "workers.dev",
    )
)

# Below these, further levels are shared, too: s3.eu-west-1.amazonaws.com, blob.core.windows.net.
_SHARED_ZONES = ("a.run.app", "amazonaws.com", "elasticbeanstalk.com", "up.railway.app", "windows.net")

# Under a country: co.uk, com.au, or.jp.
_SECOND_LEVELS = frozenset(
    (
        "ac", "co", "com", "edu", "go", "gob", "gouv", "gov", "ltd", "me", "mil", "ne", "net", "nom", "or",
        "org", "plc", "sch", "web",
    )
)
# fmt: on


def is_public_suffix(host: str) -> bool:
    """Tell whether strangers can register names under a host.

    Args:
        host: in lower case. A name without a dot always is one.
    """
    labels = host.split(".")
    if len(labels) < 2 or (len(labels) == 2 and len(labels[1]) == 2 and labels[0] in _SECOND_LEVELS):
        return True
    if host in _SHARED_HOSTS:
        return True
    return any(host == zone or host.endswith(f".{zone}") or zone.endswith(f".{host}") for zone in _SHARED_ZONES)
