package io.github.nst

import android.graphics.ImageDecoder
import android.os.Bundle
import android.widget.ImageView
import androidx.activity.ComponentActivity
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts.PickVisualMedia
import kotlin.concurrent.thread

/** A touch chooses a photograph; it is painted in the next style each time. */
class MainActivity : ComponentActivity() {
    private var count = 0

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        val view = ImageView(this)
        setContentView(view)
        val pick = registerForActivityResult(PickVisualMedia()) { uri ->
            uri ?: return@registerForActivityResult
            val style = Stylizer.STYLES[count++ % Stylizer.STYLES.size]
            thread {
                // Turns the photograph upright, which BitmapFactory does not.
                val source = ImageDecoder.createSource(contentResolver, uri)
                val photo = ImageDecoder.decodeBitmap(source) { decoder, _, _ ->
                    decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE // Pixels are read.
                }
                val picture = Stylizer(this).use { it.paint(photo, style) }
                runOnUiThread { view.setImageBitmap(picture) }
            }
        }
        view.setOnClickListener { pick.launch(PickVisualMediaRequest(PickVisualMedia.ImageOnly)) }
        view.contentDescription = "Touch to choose a photograph"
    }
}
