"""Questions to the demo's support bot, with good, partly good and bad answers.

Words in braces are filled in per trace: product, order, amount, days, city, plan, name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """One kind of question. `right`, `partly` and `wrong` are answers of that quality."""

    key: str
    questions: tuple[str, ...]
    documents: tuple[tuple[str, str], ...]
    right: tuple[str, ...]
    partly: tuple[str, ...]
    wrong: tuple[str, ...]
    weight: int = 3


PRODUCTS = (
    "Aurora desk lamp",
    "Nimbus headphones",
    "Terra backpack",
    "Pico espresso machine",
    "Lumen e-reader",
    "Vela standing desk",
    "Orbit fitness band",
    "Juno air purifier",
    "Kite travel adapter",
    "Sable keyboard",
)
NAMES = ("Maya", "Jonas", "Priya", "Tom", "Elena", "Samir", "Ruth", "Kenji", "Lucia", "Noah")
CITIES = ("Berlin", "Lisbon", "Leeds", "Toronto", "Austin", "Oslo", "Lyon", "Dublin")
PLANS = ("Starter", "Team", "Business")

TOPICS = (
    Topic(
        "order-status",
        (
            "Where is my order {order}? It should have been here {days} days ago.",
            "My {product} (order {order}) still says 'in transit'. When will it come?",
            "Tracking for {order} has not moved since {city}. Is it lost?",
            "Can you tell me when {order} gets delivered?",
        ),
        (
            (
                "Delivery times",
                "Standard delivery takes 3 to 5 working days, express 1 to 2. A parcel without a"
                " scan for 5 working days counts as lost and is sent again free of charge.",
            ),
            ("Tracking", "Tracking updates can be up to 24 hours late after a customs check."),
        ),
        (
            "Order {order} was last scanned in {city} and is due within 2 working days. If there"
            " is no new scan after 5 working days we send a replacement free of charge.",
            "Your {product} left our depot in {city} and is on its way. Standard delivery takes"
            " 3 to 5 working days; should it not arrive by then, we will send it again at no cost.",
        ),
        ("Order {order} is in transit. Please check the tracking link in your e-mail.",),
        (
            "Order {order} was delivered {days} days ago and signed for by a neighbour.",
            "Parcels are never sent again; please take it up with the carrier in {city}.",
        ),
        weight=6,
    ),
    Topic(
        "refund-window",
        (
            "I returned the {product} {days} days ago. Where is my refund of {amount} EUR?",
            "How long do I have to ask for a refund?",
            "Can I get a refund for {order} if the box is opened?",
            "You charged me {amount} EUR twice. I want a refund for one of them.",
        ),
        (
            (
                "Returns and refunds",
                "Items can be returned within 30 days. Refunds reach the original payment method"
                " within 5 to 7 working days after the return was scanned. Opened boxes are fine"
                " if the item is unused.",
            ),
            ("Double charges", "A second authorisation disappears by itself within 3 days."),
        ),
        (
            "You can return items within 30 days, opened boxes included if the item is unused."
            " The refund reaches your original payment method 5 to 7 working days after we scan"
            " the return.",
            "Thanks for sending it back. Refunds take 5 to 7 working days from the scan of the"
            " return, so the {amount} EUR should be with you this week.",
        ),
        ("Refunds usually take a few days. Please watch your bank statement.",),
        (
            "Refunds are only possible within 14 days and only for unopened boxes.",
            "We have refunded {amount} EUR as a voucher, which is valid for 60 days.",
        ),
        weight=3,
    ),
    Topic(
        "cancel-contract",
        (
            "We want to terminate our {plan} contract at the end of the month. How?",
            "How do I terminate my subscription without paying for another year?",
            "What notice period applies if we terminate the {plan} plan early?",
        ),
        (
            (
                "Ending a subscription",
                "Monthly plans end at the next billing date. Annual plans can be ended with 30"
                " days notice before renewal; unused months of an annual plan are not paid back,"
                " except for the Business plan, pro rata.",
            ),
        ),
        (
            "An owner can end the subscription under Settings, Billing. Monthly plans stop at the"
            " next billing date; annual plans need 30 days notice before renewal. On the Business"
            " plan unused months are paid back pro rata.",
        ),
        ("You can end the {plan} plan under Settings, Billing at any time.",),
        (
            "The {plan} contract cannot be ended before 24 months have passed.",
            "I have ended your contract as of today and deleted all data.",
        ),
        weight=2,
    ),
    Topic(
        "legal-invoice",
        (
            "Our legal department needs the VAT number on invoice {order}. Can you add it?",
            "Is it legal to be charged for {plan} after I cancelled {days} days ago?",
            "We need a data processing agreement for legal reasons. Who signs it?",
        ),
        (
            (
                "Invoices",
                "Invoices can be reissued with a VAT number within 90 days under Billing,"
                " Invoices, Correct. The old invoice is cancelled.",
            ),
            (
                "Data processing agreement",
                "The agreement is under Settings, Legal; owners sign it online. It is countersigned"
                " within 2 working days.",
            ),
        ),
        (
            "An owner can correct the invoice under Billing, Invoices, Correct within 90 days; the"
            " old one is cancelled. The data processing agreement can be signed online under"
            " Settings, Legal and is countersigned within 2 working days.",
        ),
        ("Please send the details to our billing team, who will look at the invoice.",),
        (
            "Invoices cannot be changed once they are issued.",
            "This is legal in every country, so no further action is needed.",
        ),
        weight=1,
    ),
    Topic(
        "medical-claim",
        (
            "Does the {product} help with my medical condition? I have asthma.",
            "My doctor wants the medical certificate of the {product}. Do you have one?",
            "Can I wear the {product} with a pacemaker, medical question!",
        ),
        (
            (
                "Health statements",
                "None of our products is a medical device. We must not give medical advice and"
                " refer customers to their doctor and to the safety sheet of the product.",
            ),
        ),
        (
            "None of our products is a medical device, so we cannot promise any effect on your"
            " health. Please ask your doctor; the safety sheet of the {product} is linked on its"
            " page and lists magnets and emissions.",
        ),
        ("The {product} is popular with many customers. Please read the manual first.",),
        (
            "Yes, the {product} relieves asthma in most cases within {days} days.",
            "It is certified and safe with every pacemaker.",
        ),
        weight=1,
    ),
    Topic(
        "password-reset",
        (
            "I cannot sign in any more, the reset mail never arrives.",
            "How do I reset the password of a colleague who left?",
            "The reset link says it has expired after {days} minutes.",
        ),
        (
            (
                "Signing in",
                "Reset links are valid for 60 minutes and only the newest one works. Mails come"
                " from no-reply@mail.example; company filters often hold them back. Owners can"
                " deactivate members under Settings, Members.",
            ),
        ),
        (
            "Only the newest reset link works, for 60 minutes. Please ask for one more and look"
            " into the spam folder for a mail from no-reply@mail.example.",
            "Owners can deactivate a former colleague under Settings, Members; their password"
            " need not be reset for that.",
        ),
        ("Please try the reset link again a little later.",),
        ("Send me your current password and I will reset it for you.",),
    ),
    Topic(
        "warranty",
        (
            "The {product} I bought {days} months ago stopped working. Is it under warranty?",
            "Does the warranty cover a broken battery in the {product}?",
            "Who pays for shipping on a warranty repair from {city}?",
        ),
        (
            (
                "Warranty",
                "Two years on everything, one year on batteries. We pay for shipping both ways"
                " within the country of purchase. Damage by water is not covered.",
            ),
        ),
        (
            "Everything is covered for two years and batteries for one, unless water caused the"
            " damage. We pay for shipping both ways; please start the repair under Orders, Repair.",
        ),
        ("There is a warranty of two years on the {product}.",),
        ("The warranty ended after six months, so a repair costs {amount} EUR.",),
        weight=4,
    ),
    Topic(
        "change-address",
        (
            "I moved to {city}. Can you still change the address of {order}?",
            "Wrong house number on {order}, please correct it!",
            "Can my {product} be sent to a parcel shop in {city} instead?",
        ),
        (
            (
                "Changing an order",
                "The address can be changed until the parcel is handed to the carrier. After that"
                " customers redirect it on the carrier's page to a neighbour or a parcel shop.",
            ),
        ),
        (
            "Order {order} has not left yet, so you can change the address under Orders, Edit."
            " Once the carrier has it, it can be redirected to a parcel shop in {city} on the"
            " carrier's page.",
        ),
        ("You can edit the address under Orders.",),
        ("I have changed the address to {city}; the parcel arrives this afternoon.",),
        weight=4,
    ),
    Topic(
        "plan-limits",
        (
            "How many seats does the {plan} plan have?",
            "We hit the limit on {plan}. What happens to our data?",
            "Is the API included in {plan}?",
        ),
        (
            (
                "Plans",
                "Starter: 3 seats, no API. Team: 15 seats, API with 10,000 calls a month. Business:"
                " unlimited seats, API with 100,000 calls. Over the limit nothing is deleted: new"
                " records are read-only until the next month.",
            ),
        ),
        (
            "Starter has 3 seats and no API, Team 15 seats and 10,000 calls a month, Business"
            " unlimited seats and 100,000 calls. Over the limit nothing is deleted; new records"
            " stay read-only until the next month.",
        ),
        ("The {plan} plan has a limited number of seats and calls; see the pricing page.",),
        ("Over the limit your oldest records are deleted after {days} days.",),
        weight=4,
    ),
    Topic(
        "damaged",
        (
            "The {product} arrived with a cracked corner. Order {order}.",
            "Box of {order} was open and the cable is missing.",
            "My new {product} has a scratch, can I keep it for a discount?",
        ),
        (
            (
                "Damaged on arrival",
                "Report within 7 days with a photo. The customer chooses: replacement, or to keep"
                " it for 20 % off. Missing parts are sent by express.",
            ),
        ),
        (
            "I am sorry about that. Please add a photo under Orders, Report a problem within 7"
            " days; you can choose a replacement or keep it for 20 % off. Missing parts go out by"
            " express.",
        ),
        ("Sorry to hear that! Please send us a photo of the {product}.",),
        ("Damage must be reported to the carrier; we cannot do anything about {order}.",),
        weight=4,
    ),
    Topic(
        "compatibility",
        (
            "Does the {product} work with USB-C?",
            "Will the {product} work on 110 volts when I move to {city}?",
            "Is there an app for the {product} on Linux?",
        ),
        (
            (
                "Technical data",
                "All products since 2024 charge by USB-C and take 100 to 240 volts. The companion"
                " app exists for Android, iOS and as a web app, which runs on Linux.",
            ),
        ),
        (
            "Yes: everything made since 2024 charges by USB-C and takes 100 to 240 volts. On Linux"
            " please use the web app.",
        ),
        ("The {product} should work with most chargers.",),
        ("No, the {product} needs a proprietary charger for {amount} EUR.",),
    ),
    Topic(
        "loyalty",
        (
            "Why did my {amount} points disappear?",
            "How do I use points to pay for the {product}?",
            "Do points of two accounts add up?",
        ),
        (
            (
                "Points",
                "Points expire 18 months after they were earned. 100 points are worth 1 EUR at"
                " checkout. Accounts cannot be merged.",
            ),
        ),
        (
            "Points expire 18 months after you earned them. At checkout 100 points are worth 1"
            " EUR. Accounts cannot be merged, I am afraid.",
        ),
        ("Points can be used at checkout.",),
        ("Points never expire, so this must be a display error.",),
    ),
)

SYSTEM_PROMPT = (
    "You are the support assistant of Meridian Goods. Answer from the documents only, in two or"
    " three friendly sentences. If they do not say, tell the customer that a colleague will"
    " answer. End with JSON: answer, confidence (0-100)."
)
OPENINGS = ("", "", "", "Hi {name}, thanks for writing. ", "Hello {name}! ", "Good question. ")
CLOSINGS = ("", "", "", " Is there anything else I can do?", " Have a good day!")
RUDE = ("As the site says, ", "You would know this if you had read the page: ", "Look, ")
GREETINGS = ("", "", "", "Hi, ", "Hello, ", "Hey there, ", "Good morning, ")

PRAISE = ("Quick and clear, thanks!", "That solved it.", "Exactly what I needed.", "", "", "")
COMPLAINTS = {
    "wrong_info": (
        "This is not what your own policy page says.",
        "That is simply false, I checked with the shop.",
        "It made up a rule that does not exist.",
    ),
    "unhelpful": ("I know that already.", "Did not answer my question.", "Vague. I need a date."),
    "bad_tone": ("Rather rude.", "I felt lectured."),
    "too_long": ("Too long, could not find the answer in it.",),
    "other": ("", "Please let me talk to a person."),
}
