"""E-mail to contributors, where the operator has set a mail server."""

from __future__ import annotations

import logging
import smtplib
import ssl
from email.errors import MessageError
from email.message import EmailMessage
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tomotheca.settings import Settings

PATIENCE = 10
"""Seconds to wait for the mail server."""

problems = logging.getLogger("tomotheca.mail")


def send(settings: Settings, to: str, subject: str, text: str) -> bool:
    """Send an e-mail; whether it was sent. What goes wrong is logged, without the address, and stops nothing."""
    if not (settings.smtp_host and settings.mail_from and to):
        return False
    try:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = settings.mail_from, to, " ".join(subject.split())
        message.set_content(text)
        _hand_over(settings, message)
    except (OSError, smtplib.SMTPException, MessageError, ValueError) as error:
        problems.error("an e-mail could not be sent: %s", type(error).__name__)  # its words may hold the address
        return False
    return True


def _hand_over(settings: Settings, message: EmailMessage) -> None:
    host, port = settings.smtp_host or "", settings.smtp_port
    secure = ssl.create_default_context()
    made = (
        smtplib.SMTP_SSL(host, port, timeout=PATIENCE, context=secure)
        if settings.smtp_security == "tls"
        else smtplib.SMTP(host, port, timeout=PATIENCE)
    )
    with made as server:
        if settings.smtp_security == "starttls":
            server.starttls(context=secure)
        if settings.smtp_user and settings.smtp_password:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        server.send_message(message)


def received(settings: Settings, reference: str, title: str, address: str) -> tuple[str, str]:
    """Write what a contributor gets when a form arrives: subject and text."""
    text = (
        f"Thank you for offering your data to {settings.site_name}.\n\n{reference}: {title}\n\n"
        f"This address shows how far it has come, and is yours alone:\n{address}\n\n"
        f"A curator answers within about {settings.contribute_reply_days} working days.\n"
    )
    return f"{settings.site_name}: {reference} was received", text


def moved(settings: Settings, reference: str, status: str, message: str) -> tuple[str, str]:
    """Write what a contributor gets when a curator has moved their submission: subject and text."""
    said = f"\n\n{message}" if message else ""
    text = f"{reference} is now: {status}.{said}\n\nMore stands at the private address that you were given when you sent the form.\n"
    return f"{settings.site_name}: {reference} – {status.lower()}", text
